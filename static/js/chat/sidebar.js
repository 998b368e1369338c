// The conversations at the side: a column that can be put away, on phones a drawer.

const root = document.documentElement;
const side = document.getElementById("sidebar");
const isPhone = matchMedia("(max-width: 50rem)");

export function toggleSidebar() {
  if (isPhone.matches) return toggleDrawer();
  const isClosed = root.dataset.sidebar === "closed";
  if (isClosed) delete root.dataset.sidebar;
  else root.dataset.sidebar = "closed";
  try {
    localStorage.setItem("sidebar", isClosed ? "open" : "closed");
  } catch {
    // It is not remembered then.
  }
  shown();
}

export function showSidebar() {
  const isHidden = isPhone.matches ? !isDrawerOpen() : root.dataset.sidebar === "closed";
  if (isHidden) toggleSidebar();
}

export const isDrawerOpen = () => root.dataset.drawer === "open";

export function toggleDrawer() {
  if (isDrawerOpen()) delete root.dataset.drawer;
  else root.dataset.drawer = "open";
  shown();
  const inside = side.querySelector(".side-head button");
  const outside = document.querySelector(".open-side");
  (isDrawerOpen() ? inside : outside).focus();
}

function shown() {
  const isOpen = isPhone.matches ? isDrawerOpen() : root.dataset.sidebar !== "closed";
  for (const button of document.querySelectorAll('button[data-do="sidebar"]')) {
    button.setAttribute("aria-expanded", isOpen);
  }
  document.querySelector(".stage").inert = isDrawerOpen();
}

isPhone.addEventListener("change", () => {
  delete root.dataset.drawer;
  shown();
});
shown();
