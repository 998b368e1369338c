// Before the first paint: the theme that was chosen, and that there are scripts.
// Not a module, for those wait until the page was read.

(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("theme");
    if (theme) root.dataset.theme = theme;
    if (localStorage.getItem("sidebar") === "closed") root.dataset.sidebar = "closed";
  } catch {
    // Storage may be forbidden: then it is the system's theme.
  }
})();
