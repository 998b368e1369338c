// Follows the end of the page while its reader is there, and leads back to it otherwise.

const NEAR_PX = 80;
const button = document.querySelector('[data-do="latest"]');
let isFollowing = false;
let lastTop = scrollY;

const page = document.scrollingElement;
const distance = () => page.scrollHeight - page.clientHeight - page.scrollTop;

export function toEnd() {
  isFollowing = true;
  page.scrollTo({ top: page.scrollHeight, behavior: "instant" });
  show();
}

function follow() {
  if (isFollowing) page.scrollTo({ top: page.scrollHeight, behavior: "instant" });
  show();
}

function show() {
  if (button) button.hidden = isFollowing || distance() < NEAR_PX;
}

// Only a reader scrolls up; a page that grows just gets longer.
addEventListener(
  "scroll",
  () => {
    const top = page.scrollTop;
    if (top < lastTop && distance() > NEAR_PX) isFollowing = false;
    else if (distance() <= NEAR_PX) isFollowing = true;
    lastTop = top;
    show();
  },
  { passive: true },
);

// Whoever opens what was folded wants to read it.
addEventListener("click", ({ target }) => (isFollowing &&= !target.closest?.("summary")), true);

button?.addEventListener("click", toEnd);
new ResizeObserver(follow).observe(document.getElementById("content"));
