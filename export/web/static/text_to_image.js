/**
 * Draws pictures from captions with a LiteRT file, by LiteRT.js: what `export/mobile` does in other
 * languages. It asks for nothing but the file and LiteRT.js, which lies beside it in `litert/`.
 */

const SIGNATURE = "generate_from_noise";
const VOCABULARY = "vocabulary.txt";
const CONFIG = "config.json";
const CARD = "README.md";
const LONGEST_WORD = 1000; // bytes that are cut into pieces
const UNSPACED = /[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]/gu;
const MOST_LEVELS = 2; // by which a picture of the graphics card may differ

/** The caption's words: runs of letters, marks, digits and underscores, in lower case; Chinese
 * characters and kana are a word each. */
export function tokenize(text) {
  const words = text.toLowerCase().replaceAll("ς", "σ").replace(/[^\p{L}\p{M}\p{N}_]+/gu, " ");
  return words.replace(UNSPACED, " $& ").split(" ").filter(Boolean);
}

/** The longest pieces of a word that `known` has, from the left; the word itself if there is no way. */
export function cut(word, known) {
  const letters = [...word];
  if (new TextEncoder().encode(word).length > LONGEST_WORD) return [word];
  const pieces = [];
  for (let start = 0, end; start < letters.length; start = end) {
    const piece = () => (start ? "##" : "") + letters.slice(start, end).join("");
    for (end = letters.length; end > start && !known.has(piece()); end--);
    if (end === start) return [word];
    pieces.push(piece());
  }
  return pieces;
}

/** The caption's words, or their pieces where the model reads wordpieces. */
export function tokens(text, ids, wordpiece) {
  if (!wordpiece) return tokenize(text);
  return tokenize(text.normalize("NFKC")).flatMap((word) => cut(word, ids));
}

/**
 * Standard normal numbers: those that Python draws with for a seed, but for rounding. It is
 * `tf.random.stateless_normal([count], [seed, 0], alg="philox")`: Philox 4x32-10 (Salmon et al.,
 * 2011) and Box-Muller, with TensorFlow's way from a seed to a key.
 */
export function noise(seed, count) {
  const [key0, key1, high2, high3] = philox([seed >>> 0, Math.floor(seed / 2 ** 32), 0, 0],
    [0x3ec8f720, 0x02461e29]);
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i += 4) {
    const bits = philox([i / 4, 0, high2, high3], [key0, key1]);
    numbers.set([...normal(bits[0], bits[1]), ...normal(bits[2], bits[3])].slice(0, count - i), i);
  }
  return numbers;
}

function philox([c0, c1, c2, c3], [k0, k1]) {
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = product(0xd2511f53, c0);
    const [high1, low1] = product(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    [k0, k1] = [(k0 + 0x9e3779b9) >>> 0, (k1 + 0xbb67ae85) >>> 0];
  }
  return [c0, c1, c2, c3];
}

/** The two halves of a product of 64 bits. */
function product(a, b) {
  const whole = BigInt(a) * BigInt(b);
  return [Number(whole >> 32n), Number(whole & 0xffffffffn)];
}

function normal(bits0, bits1) {
  const uniform = (bits) => (bits & 0x7fffff) / 2 ** 23;
  const radius = Math.sqrt(-2 * Math.log(Math.max(uniform(bits0), 1e-7)));
  const angle = 2 * Math.PI * uniform(bits1);
  return [radius * Math.sin(angle), radius * Math.cos(angle)];
}

/** The texts in the zip archive at the end of a LiteRT file, by name; they are not compressed. */
export function archived(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const texts = new Map();
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  let end = file.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) return texts;
  let entry = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left; left--) {
    const size = view.getUint32(entry + 24, true);
    const [name, extra, comment] = [28, 30, 32].map((at) => view.getUint16(entry + at, true));
    const local = view.getUint32(entry + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const title = utf8.decode(file.subarray(entry + 46, entry + 46 + name));
    texts.set(title, utf8.decode(file.subarray(start, start + size)));
    entry += 46 + name + extra + comment;
  }
  return texts;
}

/** A LiteRT file that `python -m export.tflite` wrote, ready to draw. */
export class TextToImage {
  /** Fetches LiteRT.js and a file, and makes it ready to draw on the processor. */
  static async load(url) {
    const [response, litert] = await Promise.all([fetch(url), import("./litert/index.js")]);
    if (!response.ok) throw new Error(`${url} cannot be read (${response.status})`);
    const file = new Uint8Array(await response.arrayBuffer());
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
    const jspi = Boolean(adapter) && (await litert.supportsFeature("jspi"));
    await litert.loadLiteRt(new URL("./litert/", import.meta.url).href, { jspi });
    const runner = await litert.loadAndCompile(file, { accelerator: "wasm" });
    return new TextToImage(litert, file, runner, jspi);
  }

  constructor(litert, file, runner, hasGpu) {
    Object.assign(this, { litert, file, runner, hasGpu });
    const texts = archived(file);
    if (!texts.has(VOCABULARY) || !texts.has(CONFIG)) {
      throw new Error(`the model lacks ${VOCABULARY} or ${CONFIG}: export it anew`);
    }
    const config = JSON.parse(texts.get(CONFIG));
    this.name = config.name;
    this.card = texts.get(CARD) ?? "";
    this.words = texts.get(VOCABULARY).replace(/\n$/, "").split("\n");
    this.ids = new Map(this.words.map((word, id) => [word, id]));
    this.wordpiece = config.tokenizer === "wordpiece";
    const sizes = (details) => Object.fromEntries(details.map((part) => [part.name, part.shape]));
    const inputs = sizes(runner.getInputDetails());
    [this.maxWords, this.noiseSize] = [inputs.tokens[1], inputs.noise[1]];
    [, this.height, this.width] = sizes(runner.getOutputDetails()).image;
  }

  /** What the model reads of a caption: its token ids, and the words that it does not know. */
  read(text) {
    const parts = tokens(text, this.ids, this.wordpiece);
    const known = parts.filter((part) => this.ids.has(part));
    return {
      ids: known.slice(0, this.maxWords).map((part) => this.ids.get(part)),
      unknown: [...new Set(parts.filter((part) => !this.ids.has(part)))],
      beyond: Math.max(0, known.length - this.maxWords),
    };
  }

  /** A picture, RGB; each seed, a whole number from 0 to 2^53 - 1, gives another. */
  async draw(ids, seed, runner = this.runner) {
    const padded = new Int32Array(this.maxWords);
    padded.set(ids);
    const inputs = {
      tokens: new this.litert.Tensor(padded, [1, this.maxWords]),
      noise: new this.litert.Tensor(noise(seed, this.noiseSize), [1, this.noiseSize]),
    };
    let image;
    try {
      ({ image } = await runner.run(SIGNATURE, inputs));
      return await image.data();
    } finally {
      for (const tensor of [inputs.tokens, inputs.noise, image]) tensor?.delete();
    }
  }

  /** Goes on by WebGPU if it draws the same picture as the processor; says in a sentence what came of it. */
  async useGpu(ids, seed) {
    const expected = await this.draw(ids, seed);
    try {
      const options = { accelerator: "webgpu", gpuOptions: { precision: "fp32" } };
      const runner = await this.litert.loadAndCompile(this.file, options);
      const drawn = await this.draw(ids, seed, runner);
      if (drawn.some((level, i) => Math.abs(level - expected[i]) > MOST_LEVELS)) {
        return "The graphics card draws other pictures, so the processor goes on.";
      }
      this.runner = runner;
      return "The graphics card draws now.";
    } catch (error) {
      return `The graphics card cannot draw this model (${error.message}), so the processor goes on.`;
    }
  }
}
