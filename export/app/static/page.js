// Draws the parts of the page from the plain data that the server sends. All text becomes text
// nodes, never HTML, so nothing that a visitor types can act.
"use strict";
const t2i = (() => {
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  };
  // Calls draw(value) now and whenever the server sends another value.
  const show = (props, watch, draw) => {
    draw(props.value);
    watch("value", () => draw(props.value));
  };
  const absolute = (query) => location.origin + location.pathname + query;
  const file = (path, query, more = {}) =>
    `${path}${query}&${new URLSearchParams(more)}`;

  const notes = (element, props, watch, send) => {
    const chip = (label, caption, kind) =>
      make("button", { type: "button", class: `t2i-chip ${kind}`, onclick: () => send.choose({ caption }) }, label);
    show(props, watch, (value) => {
      if (!value) return element.replaceChildren();
      const lines = value.unknown.map(({ model, word, near }) =>
        make("p", { class: "t2i-unknown" }, `${model} does not know “${word}”`,
          near.length ? ": " : ".",
          ...near.map((other) => chip(other, exchange(value.caption, word, other), "near"))));
      const chips = value.examples.map((caption) => chip(caption, caption, "example"))
        .concat(value.next.map((word) => chip(word, extend(value.caption, word), "next")));
      element.replaceChildren(
        make("div", { role: "status", "aria-live": "polite" }, ...lines),
        make("div", { class: "t2i-chips", role: "group", "aria-label": "Suggestions" }, ...chips));
    });
  };
  const exchange = (caption, word, other) =>
    caption.replace(/\w+/g, (found) => (found.toLowerCase() === word ? other : found));
  const extend = (caption, word) => {
    const begun = caption.match(/\w+$/);
    const kept = begun && word.startsWith(begun[0].toLowerCase()) ? caption.slice(0, begun.index) : caption;
    return `${kept}${kept && !kept.endsWith(" ") ? " " : ""}${word} `;
  };

  const past = new Map(); // The session's requests by their links, with a thumbnail each.
  const gallery = (element, props, watch, send) => {
    const status = make("p", { role: "status", "aria-live": "polite", class: "t2i-status" });
    const body = make("div");
    element.replaceChildren(status, body);
    let shown = null;
    const start = (value) => {
      shown = { key: value.kind + value.title + value.query, rows: [] };
      body.replaceChildren(make("h2", {}, value.title));
      for (const row of value.rows) {
        const grid = make("ul", { class: "t2i-grid", "aria-label": `Pictures by ${row.name}` });
        shown.rows.push(grid);
        body.append(make("section", { class: "t2i-row" },
          value.rows.length > 1 ? make("h3", {}, row.name) : null, grid));
      }
    };
    const card = (value, row, picture) => {
      const text = `${picture.caption ?? value.title}, ${picture.label}, drawn by ${row.name}`;
      const asked = { ...value.asked, caption: picture.caption, seed: picture.seed, model: row.model };
      return make("li", {}, make("button", {
        type: "button", class: "t2i-card", title: "How was it drawn?",
        onclick: () => send.choose(asked), disabled: !picture.caption,
      }, make("img", { src: picture.src, alt: text }), make("span", {}, picture.label)));
    };
    const player = (value, row) => {
      const image = make("img", { class: "t2i-player", alt: value.title, src: row.pictures[0].src });
      const slider = make("input", { type: "range", min: 0, max: row.pictures.length - 1, value: 0,
        "aria-label": "Place on the way", oninput: () => { image.src = row.pictures[slider.value].src; } });
      return make("div", { class: "t2i-way" }, image, slider);
    };
    const finish = (value) => {
      const several = value.rows.length > 1;
      const links = value.rows.flatMap((row) => {
        const by = several ? ` (${row.name})` : "";
        const link = (label, path) => make("a", { href: file(path, value.query, { model: row.model }), download: true,
          class: "t2i-link" }, label + by);
        if (value.kind === "between") return [link("Animation", "between.webp")];
        return value.kind === "draw" ? [link("Sheet", "sheet.png"), link("ZIP", "pictures.zip")] : [];
      });
      if (value.kind === "between") body.append(...value.rows.map((row) => player(value, row)));
      if (value.kind === "draw") {
        history.replaceState(null, "", value.query);
        const copy = make("button", { type: "button", class: "t2i-link", onclick: async () => {
          await navigator.clipboard.writeText(absolute(value.query));
          copy.textContent = "Link copied";
        } }, "Copy link");
        links.push(make("a", { href: value.query, class: "t2i-link t2i-again" }, "Link"), copy);
        past.delete(value.query);
        past.set(value.query, { asked: value.asked, src: value.rows[0].pictures[0].src });
      }
      body.append(make("p", { class: "t2i-links" }, ...links));
      if (value.kind === "draw" && past.size > 1) body.append(make("div", { class: "t2i-past" }, make("h3", {}, "Before"),
        make("div", { class: "t2i-thumbs" }, ...[...past].reverse().slice(1).map(([, { asked, src }]) =>
          make("button", { type: "button", title: asked.caption, onclick: () => send.recall(asked) },
            make("img", { src, alt: `Again: ${asked.caption}, seed ${asked.seed}` }))))));
    };
    show(props, watch, (value) => {
      if (!value) { shown = null; status.textContent = ""; return body.replaceChildren(); }
      const count = value.rows.reduce((sum, row) => sum + row.pictures.length, 0);
      const key = value.kind + value.title + value.query;
      if (!shown || shown.key !== key || shown.done) start(value);
      value.rows.forEach((row, i) => {
        const grid = shown.rows[i];
        for (const picture of row.pictures.slice(grid.children.length)) grid.append(card(value, row, picture));
      });
      shown.done = count === value.total;
      status.textContent = shown.done ? "" : `${count} of ${value.total} drawn`;
      if (shown.done) finish(value);
    });
  };

  const stages = (element, props, watch, send) => {
    show(props, watch, (value) => {
      if (!value) return element.replaceChildren();
      const frames = value.stages.map((stage) => {
        const spot = make("img", { class: "t2i-spot", src: stage.src, alt: "", "aria-hidden": "true" });
        const frame = make("div", { class: "t2i-frame" }, make("img", { src: stage.src,
          alt: `${value.caption}, stage of ${stage.size} pixels` }), stage.spots.length ? spot : null);
        return { stage, spot, frame };
      });
      const heading = make("h2", {}, `How ${value.name} drew seed ${value.seed}, from coarse to fine`);
      const said = make("p", { role: "status", "aria-live": "polite", class: "t2i-status" },
        "Choose a word to see where each stage looked for it.");
      const more = make("div", { class: "t2i-more" });
      const choose = (word, place, chip) => {
        const again = chip.getAttribute("aria-pressed") === "true";
        for (const other of chips) other.setAttribute("aria-pressed", "false");
        more.replaceChildren();
        for (const { stage, spot, frame } of frames) {
          const mask = again ? null : stage.spots[word.read];
          frame.classList.toggle("lit", Boolean(mask));
          if (mask) spot.style.maskImage = `url(${mask})`;
        }
        said.textContent = again ? "" : `Bright: where each stage looked for “${word.text}”.`;
        if (again) return;
        chip.setAttribute("aria-pressed", "true");
        if (word.kin.length) more.append(make("button", { type: "button", class: "t2i-link", onclick: () =>
          send.vary({ caption: value.caption, seed: value.seed, truncation: value.truncation,
            model: value.model, place }) }, `Vary “${word.text}”: ${word.kin.slice(0, 4).join(", ")}${
          word.kin.length > 4 ? ", …" : ""}`));
      };
      const chips = value.words.map((word, place) => {
        const chip = make("button", { type: "button", class: "t2i-word", "aria-pressed": "false",
          disabled: word.read < 0, title: word.read < 0 ? "not read" : null,
          onclick: () => choose(word, place, chip) }, word.text);
        return chip;
      });
      const query = new URLSearchParams({ caption: value.caption, seed: value.seed,
        truncation: value.truncation, model: value.model });
      element.replaceChildren(heading,
        make("div", { class: "t2i-words", role: "group", "aria-label": "Words of the caption" }, ...chips),
        said,
        make("div", { class: "t2i-frames" }, ...frames.map(({ stage, frame }) =>
          make("figure", {}, frame, make("figcaption", {}, `${stage.size} px`)))),
        make("div", { class: "t2i-links" },
          make("a", { href: `picture.png?${query}`, download: true, class: "t2i-link" }, "Download picture"), more));
      const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
      element.scrollIntoView({ block: "nearest", behavior: quiet ? "auto" : "smooth" });
    });
  };
  return { notes, gallery, stages };
})();
