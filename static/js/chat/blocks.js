// The blocks of an answer, each of them replaced until it is final.

export function showBlock(article, { part, index, html, seq }) {
  const blocks = article.querySelector(`.blocks[data-part="${part}"]`);
  let block = blocks?.querySelector(`:scope > [data-index="${index}"]`);
  if (!blocks) return;
  if (!block) {
    block = document.createElement("div");
    block.className = "block";
    block.dataset.index = index;
    blocks.append(block);
  }
  if (block.innerHTML !== html) block.innerHTML = html;
  // Text is told before it is shown: after a break, what was not shown has to come again.
  if (seq !== undefined) article.dataset[part === "text" ? "seq" : "reasoningSeq"] = seq;
}
