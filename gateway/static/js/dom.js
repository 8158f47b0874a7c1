// @ts-check
// Small helpers that build nodes and change them only where something changed. Texts go through textContent, never as markup.

export const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {string} [name] class names
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function el(tag, name = "", ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...children);
  return node;
}

/**
 * @param {string} name class names
 * @param {string} label
 * @param {() => void} press
 * @returns {HTMLButtonElement}
 */
export function button(name, label, press) {
  const node = /** @type {HTMLButtonElement} */ (el("button", name, label));
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

/**
 * Writes a text only when it is another one.
 * @param {Node} node
 * @param {string} text
 */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Sets or removes (null) an attribute only when that changes something.
 * @param {Element} node
 * @param {string} name
 * @param {string | null} value
 */
export function attr(node, name, value) {
  if (node.getAttribute(name) === value) return;
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

/**
 * @param {HTMLElement | SVGElement} node
 * @param {boolean} shown
 */
export function show(node, shown) {
  attr(node, "hidden", shown ? null : "");
}

/**
 * Makes the children of `parent` the given nodes in this order; a node that is in its place is not touched, so it keeps its focus.
 * @param {Element} parent
 * @param {Element[]} nodes
 */
export function order(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, i) => {
    const at = parent.children[i];
    if (at === node) return;
    const focused = document.activeElement;
    parent.insertBefore(node, at ?? null);
    if (focused instanceof HTMLElement && focused !== document.activeElement && node.contains(focused)) focused.focus({ preventScroll: true });
  });
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @returns {SVGElement}
 */
export function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
