// What keyboards, screen readers and mice lack on the page, once it is still for a moment.

const STILL_MS = 300;
const SCROLLERS = ".md-code pre, .md-formula, .block:has(> table)";
let timer = 0;

function complete() {
  for (const element of document.querySelectorAll(SCROLLERS)) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
  for (const button of document.querySelectorAll(".tool[aria-label]:not([title])")) {
    button.title = button.ariaLabel;
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(complete, STILL_MS);
}

new MutationObserver(soon).observe(document.getElementById("content"), { childList: true, subtree: true });
addEventListener("resize", soon);
complete();
