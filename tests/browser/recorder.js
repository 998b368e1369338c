// What an answer looked like on its way, kept for the test that asks for it afterwards.

window.recorded = { texts: [], blocks: [], words: [] };

const blocksOf = (article) => article.querySelector('.blocks[data-part="text"]');
const last = (list) => list[list.length - 1];

function look(changes) {
  const article = document.querySelector('.message[data-status="running"]');
  if (!article) return;
  const { texts, blocks, words } = window.recorded;
  const said = article.querySelector(".waiting .words")?.textContent;
  if (said === undefined) return; // the page is still being read
  const text = blocksOf(article).textContent;
  if (text !== last(texts)) texts.push(text);
  if (said !== last(words)) words.push(said);
  for (const { target } of changes) {
    const block = target.closest?.('[data-part="text"] > .block');
    if (block && last(blocks) !== block.dataset.index) blocks.push(block.dataset.index);
  }
}

new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
