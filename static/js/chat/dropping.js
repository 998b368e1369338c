// Files that are dragged onto the page.

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

// `zone` shows where they go; `take` gets them.
export function listenForDrops(zone, take) {
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    zone.hidden = false;
  });
  addEventListener("dragleave", (event) => (zone.hidden ||= !event.relatedTarget));
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    zone.hidden = true;
    take(event.dataTransfer.files);
  });
}
