/** The page: reads the form, shows pictures as they are drawn. The model is in text_to_image.js. */

import { TextToImage, tokenize } from "./text_to_image.js";

const MODEL = "./text_to_image_float16.tflite";
const EXAMPLES = [
  "a small red bird with black wings",
  "this bird has a yellow crown, a blue belly and white wings",
  "a green bird with an orange beak and a brown tail",
];
const MOST_WORDS_SHOWN = 200;

const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((e) => [e.id, e]));
const form = document.querySelector("form");
let model;
let asked = 0; // how often a drawing was asked for: the last one ends those before it
let turn = Promise.resolve(); // LiteRT.js computes one thing after the other

function chip(text, choose) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", choose);
  return button;
}

function list(words) {
  return words.map((word) => `“${word}”`).join(", ");
}

/** Names what the model will leave out of the caption. */
function note() {
  const { unknown, beyond } = model.read(part.caption.value);
  const notes = [];
  if (unknown.length) notes.push(`The model does not know ${list(unknown)}.`);
  if (beyond) notes.push(`It reads ${model.maxWords} words; the last ${beyond} are left out.`);
  part.notes.textContent = notes.join(" ");
}

/** The form as an address that draws the same again; what follows # stays in the browser. */
function remember() {
  const values = { caption: part.caption.value, seed: part.seed.value, number: part.number.value };
  history.replaceState(null, "", `#${new URLSearchParams(values)}`);
}

/** Fills the form from the address; what it lacks stays. Wrong values are refused by the form. */
function recall() {
  const values = new URLSearchParams(location.hash.slice(1));
  for (const id of ["caption", "seed", "number"]) {
    if (values.has(id)) part[id].value = values.get(id);
  }
  part.caption.value = part.caption.value.slice(0, part.caption.maxLength);
}

async function show(levels, caption, seed) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [model.width, model.height];
  const pixels = new ImageData(model.width, model.height);
  for (let i = 0, j = 0; i < levels.length; j++) pixels.data[j] = j % 4 === 3 ? 255 : levels[i++];
  canvas.getContext("2d", { alpha: false }).putImageData(pixels, 0, 0);
  const [item, link, image] = ["li", "a", "img"].map((name) => document.createElement(name));
  link.href = image.src = canvas.toDataURL();
  link.download = `${tokenize(caption).join("-").slice(0, 80)}-${seed}.png`;
  link.title = "Save the picture";
  image.alt = `${caption}, seed ${seed}`;
  link.append(image, `seed ${seed}`);
  item.append(link);
  await image.decode();
  part.gallery.append(item);
}

async function drawAll(mine, caption, seed, number) {
  const { ids } = model.read(caption);
  part.gallery.replaceChildren();
  let spent = 0;
  for (let done = 0; done < number && mine === asked; done++) {
    part.status.textContent = `Drawing ${done + 1} of ${number}`;
    await new Promise((resume) => setTimeout(resume)); // The browser shows what is there.
    const start = performance.now();
    const levels = await model.draw(ids, seed + done);
    spent += performance.now() - start;
    await show(levels, caption, seed + done);
    if (!done) performance.mark("picture");
  }
  if (mine !== asked) return;
  const each = Math.round(spent / number);
  part.status.textContent = `${number === 1 ? "1 picture" : `${number} pictures`}, ${each} ms each. Choose one to save it.`;
}

function fail(error) {
  part.status.textContent = `This did not work: ${error.message}`;
  console.error(error);
}

function draw() {
  if (!model || !form.reportValidity()) return;
  note();
  const caption = part.caption.value.trim();
  if (!model.read(caption).ids.length) {
    part.status.textContent = "The model knows no word of this caption.";
    return;
  }
  remember();
  const mine = ++asked;
  const [seed, number] = [part.seed.valueAsNumber, part.number.valueAsNumber];
  turn = turn.then(() => drawAll(mine, caption, seed, number)).catch(fail);
}

function otherSeeds() {
  const next = part.seed.valueAsNumber + part.number.valueAsNumber;
  part.seed.value = next <= Number(part.seed.max) ? next : 0;
  draw();
}

function useGpu() {
  part.gpu.disabled = true;
  asked++;
  part.status.textContent = "Trying the graphics card";
  const [first] = model.words.slice(1);
  turn = turn
    .then(() => model.useGpu([model.ids.get(first)], 0))
    .then((told) => (part.status.textContent = told))
    .catch(fail);
}

function choose(caption) {
  part.caption.value = caption;
  draw();
}

async function open() {
  model = await TextToImage.load(MODEL);
  document.title = `${model.name}: draw a caption`;
  part.name.textContent = model.name;
  part.card.textContent = model.card;
  const words = model.words.slice(1).filter((word) => !word.startsWith("##"));
  part.known.textContent = `The ${words.length} words that the model knows`;
  const known = EXAMPLES.filter((text) => !model.read(text).unknown.length);
  const examples = known.length ? known : [words.slice(0, 5).join(" ")];
  part.examples.append(...examples.map((text) => chip(text, () => choose(text))));
  const add = (word) => {
    part.caption.value = `${part.caption.value.trim()} ${word}`.trim().slice(0, part.caption.maxLength);
    note();
  };
  part.words.append(...words.slice(0, MOST_WORDS_SHOWN).map((word) => chip(word, () => add(word))));
  if (words.length > MOST_WORDS_SHOWN) part.words.append(`and ${words.length - MOST_WORDS_SHOWN} more`);
  if (!part.caption.value) part.caption.value = examples[0];
  recall();
  part.draw.disabled = part.others.disabled = false;
  part.gpu.hidden = !model.hasGpu;
  part.status.textContent = "Ready";
  draw();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
part.caption.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    draw();
  }
});
part.caption.addEventListener("input", () => model && note());
part.others.addEventListener("click", otherSeeds);
part.gpu.addEventListener("click", useGpu);
addEventListener("hashchange", () => {
  recall();
  draw();
});
open().catch(fail);
