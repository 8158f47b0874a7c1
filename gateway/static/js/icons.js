// @ts-check
// The shapes that say what a colour says: drawn here, on a grid of 24.
import { svg } from "./dom.js";

/** Each: [path, "fill" | "line" | "cut" | "dash"]; cut = drawn in the colour behind. @type {Record<string, [string, string][]>} */
const SHAPES = {
  // octagon with three bars, triangle with two, square with a plug
  critical: [
    ["M7.9 2h8.2L22 7.9v8.2L16.1 22H7.9L2 16.1V7.9z", "fill"],
    ["M7.8 7v6.6M7.8 17v.1M12 7v6.6M12 17v.1M16.2 7v6.6M16.2 17v.1", "cut"],
  ],
  warning: [
    ["M12 1.8 23 21.5H1z", "fill"],
    ["M9.9 9.8v5M9.9 18.3v.1M14.1 9.8v5M14.1 18.3v.1", "cut"],
  ],
  device: [
    ["M5 2h14a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H5a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3z", "fill"],
    ["M8 5.5v3.5M13 5.5v3.5M6 9.5h9v2.4a4.5 4.5 0 0 1-9 0zM10.5 16.4v2.6M15.5 14.5l4 4M19.5 14.5l-4 4", "cut"],
  ],
  latched: [
    ["M12 3.2 22 20.5H2z", "line"],
    ["m8.5 14.5 2.5 2.7 4.5-5.2", "line"],
  ],
  person: [["M12 12.2a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4zM4.5 21.5c.4-4 3.3-6.3 7.5-6.3s7.1 2.3 7.5 6.3", "line"]],
  nobody: [["M12 12.2a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4zM4.5 21.5c.4-4 3.3-6.3 7.5-6.3s7.1 2.3 7.5 6.3", "dash"]],
  link: [["M2.5 9.5a13.5 13.5 0 0 1 19 0M5.8 13a8.8 8.8 0 0 1 12.4 0M9 16.4a4.3 4.3 0 0 1 6 0M12 19.8v.1", "line"]],
  broken: [["M2.5 9.5a13.5 13.5 0 0 1 5-3.2M12.5 5.5a13.5 13.5 0 0 1 9 4M15 11.2a8.8 8.8 0 0 1 3.2 1.8M5.8 13a8.8 8.8 0 0 1 3.7-2.2M12 19.8v.1M3 3l18 18", "line"]],
  pulse: [["M1.5 13h4l2.8-8 5 14.5 3.2-10 1.7 3.5h4.3", "line"]],
  tick: [["m4.5 12.5 5 5L19.5 7", "line"]],
  undo: [["M9 5 4 10l5 5M4.5 10H14a5.5 5.5 0 0 1 0 11h-3", "line"]],
  up: [["M12 20V4.5M5.5 11 12 4.5l6.5 6.5", "line"]],
  rising: [["M6 18 17.5 6.5M8.5 6H18v9.5", "line"]],
  falling: [["M6 6l11.5 11.5M8.5 18H18V8.5", "line"]],
  down: [["M12 4v15.5M5.5 13l6.5 6.5 6.5-6.5", "line"]],
  isolation: [["M12 2.5 20.2 7.2v9.6L12 21.5l-8.2-4.7V7.2z", "line"]],
  close: [["m5 5 14 14M19 5 5 19", "line"]],
  pen: [["M4 20h4L19.5 8.5a2.8 2.8 0 0 0-4-4L4 16zM13.5 6.5l4 4", "line"]],
  clock: [["M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19zM12 7v5.5l3.5 2", "line"]],
};

/**
 * An icon; decorative, the word stands beside it.
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const node = svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true", "data-icon": name });
  for (const [path, kind] of SHAPES[name] ?? []) node.append(svg("path", { d: path, class: kind }));
  return node;
}

/**
 * Turns an icon into another one in place.
 * @param {SVGElement} node
 * @param {string} name
 */
export function setIcon(node, name) {
  if (node.dataset.icon === name) return;
  node.dataset.icon = name;
  node.setAttribute("class", `icon icon-${name}`);
  node.replaceChildren(...(SHAPES[name] ?? []).map(([path, kind]) => svg("path", { d: path, class: kind })));
}
