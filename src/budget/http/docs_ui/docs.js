// The page that shows the API: reads the description and lists its operations, with a form to try
// each. The key stays in its field. Everything is set as text, so nothing in an answer is run.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH = 5;
let api = {};

// --- Elements ------------------------------------------------------------------------------------

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const json = (value) => JSON.stringify(value, null, 2);
const slug = (text) => text.replace(/[^A-Za-z0-9]+/g, "-");
const paragraphs = (text) =>
  (text || "").split("\n\n").map((part) => element("p", {}, ...coded(part)));
/** A text whose parts in back quotes are code. */
const coded = (text) =>
  text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));

// --- Schemas -------------------------------------------------------------------------------------

function resolved(thing) {
  let found = thing;
  while (found && found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((inner, part) => inner[part], api);
  }
  return found || {};
}

function kindOf(schema) {
  const told = resolved(schema);
  if (told.const !== undefined) return json(told.const);
  if (told.enum) return told.enum.map((one) => (one === null ? "null" : one)).join(" | ");
  if (told.anyOf) return [...new Set(told.anyOf.map(kindOf))].join(" or ");
  const kinds = [].concat(told.type || "anything");
  return kinds
    .map((kind) => (kind === "array" ? `list of ${kindOf(told.items || {})}` : kind))
    .join(" or ");
}

function boundsOf(schema) {
  const told = resolved(schema);
  const bounds = [];
  if (told.format) bounds.push(told.format);
  if (told.minimum !== undefined) bounds.push(`${told.minimum} to ${told.maximum ?? "…"}`);
  if (told.maxLength !== undefined) bounds.push(`at most ${told.maxLength} characters`);
  if (told.maxItems !== undefined) bounds.push(`at most ${told.maxItems}`);
  return bounds.length ? ` (${bounds.join(", ")})` : "";
}

/** The object within a schema, whose fields can be listed; null if there is none. */
function objectIn(schema) {
  const told = resolved(schema);
  if (told.properties) return told;
  for (const inner of [...(told.anyOf || []), told.items, told.additionalProperties]) {
    if (inner && typeof inner === "object") {
      const found = objectIn(inner);
      if (found) return found;
    }
  }
  return null;
}

function fieldsOf(schema, depth = 0) {
  const told = objectIn(schema);
  if (!told || depth >= DEPTH) return null;
  const needed = new Set(told.required || []);
  const rows = Object.entries(told.properties).map(([name, field]) => {
    const words = resolved(field).description;
    const head = [
      element("code", {}, name), " ",
      element("span", { class: "kind" }, kindOf(field) + boundsOf(field)), " ",
      needed.has(name) && depth === 0 ? element("span", { class: "needed" }, "required") : null,
      words ? element("div", { class: "note" }, words) : null,
    ];
    if (!objectIn(field)) return element("li", {}, ...head);
    const more = element("details", {}, element("summary", {}, ...head));
    more.addEventListener("toggle", () => {
      if (more.open && more.childElementCount === 1) more.append(fieldsOf(field, depth + 1) || "");
    });
    return element("li", {}, more);
  });
  return element("ul", { class: "fields" }, ...rows);
}

function exampleOf(content) {
  const named = Object.values(content.examples || {})[0];
  if (named) return named.value;
  return content.example;
}

// --- Operations ----------------------------------------------------------------------------------

function parametersOf(operation) {
  const told = operation.parameters || [];
  if (!told.length) return [];
  const rows = told.map((one) =>
    element("li", {},
      element("code", {}, one.name), " ",
      element("span", { class: "kind" }, `in ${one.in}: ${kindOf(one.schema)}${boundsOf(one.schema)}`), " ",
      one.required ? element("span", { class: "needed" }, "required") : null,
      one.description ? element("div", { class: "note" }, one.description) : null));
  return [element("h3", {}, "Parameters"), element("ul", { class: "fields" }, ...rows)];
}

function bodyOf(operation) {
  const content = operation.requestBody?.content["application/json"];
  if (!content) return [];
  const example = exampleOf(content);
  return [
    element("h3", {}, "Body"),
    fieldsOf(content.schema),
    example === undefined ? null : element("pre", {}, json(example)),
  ];
}

function responsesOf(operation) {
  const made = [element("h3", {}, "Answers")];
  for (const [status, told] of Object.entries(operation.responses)) {
    const response = resolved(told);
    const [media, content] = Object.entries(response.content || {})[0] || [];
    const row = element("details", {},
      element("summary", {},
        element("span", { class: status < 400 ? "status" : "status failed" }, status), " ",
        response.description));
    row.addEventListener("toggle", () => {
      if (!row.open || row.childElementCount > 1 || !content) return;
      const example = exampleOf(content);
      row.append(
        element("p", { class: "note" }, media),
        fieldsOf(content.schema) || "",
        example === undefined ? "" : element("pre", {}, json(example)));
    });
    made.push(row);
  }
  return made;
}

function formOf(method, path, operation) {
  const form = element("form", { class: "try" });
  const inputs = [];
  for (const one of operation.parameters || []) {
    const input = element("input", {
      name: one.name,
      value: one.in === "path" ? one.example : undefined,
      placeholder: one.schema.type === "object" ? "team=search&tag.env=prod" : undefined,
    });
    inputs.push([one, input]);
    form.append(element("label", {}, element("code", {}, one.name), input));
  }
  const content = operation.requestBody?.content["application/json"];
  let body = null;
  if (content) {
    body = element("textarea", { "aria-label": "Body", spellcheck: "false" });
    body.value = json(exampleOf(content) ?? {});
    form.append(body);
  }
  const told = element("div", { "aria-live": "polite" });
  form.append(element("button", {}, "Send"), told);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method, path, inputs, body, told);
  });
  return form;
}

async function send(method, path, inputs, body, told) {
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const [one, input] of inputs) {
    if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(input.value));
    else if (input.value && one.schema.type === "object") {
      for (const [name, value] of new URLSearchParams(input.value)) query.append(name, value);
    } else if (input.value && one.in === "query") query.set(one.name, input.value);
    else if (input.value) headers[one.name] = input.value;
  }
  const key = document.getElementById("key").value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const text = query.toString();
  try {
    const answer = await fetch(address + (text ? `?${text}` : ""), {
      method: method.toUpperCase(), headers, body: body ? body.value : undefined,
      redirect: "manual",
    });
    const heard = await answer.text();
    let shown = heard;
    try { shown = json(JSON.parse(heard)); } catch { /* it is no JSON: shown as it is */ }
    told.replaceChildren(
      element("p", { class: answer.ok ? "status" : "status failed" }, `${answer.status} ${answer.statusText}`),
      element("pre", {}, shown));
  } catch (error) {
    told.replaceChildren(element("p", { class: "status failed" }, `Not sent: ${error.message}`));
  }
}

function operationOf(method, path, operation) {
  const row = element("details", { class: "operation", id: operation.operationId },
    element("summary", {},
      element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("span", { class: "path" }, path),
      element("span", { class: "summary" }, operation.summary),
      element("span", { class: "right" }, operation["x-required-scope"])));
  row.dataset.words = `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
  row.addEventListener("toggle", () => {
    if (!row.open || row.childElementCount > 1) return;
    row.append(element("div", { class: "inside" },
      ...paragraphs(operation.description),
      ...parametersOf(operation), ...bodyOf(operation), ...responsesOf(operation),
      element("h3", {}, "Try it"), formOf(method, path, operation)));
  });
  return row;
}

// --- The page ------------------------------------------------------------------------------------

function show() {
  document.getElementById("version").textContent = api.info.version;
  const groups = new Map(api.tags.map((tag) => [tag.name, []]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const method of METHODS) {
      const operation = methods[method];
      if (operation) groups.get(operation.tags[0]).push(operationOf(method, path, operation));
    }
  }
  const main = document.getElementById("main");
  main.replaceChildren(...paragraphs(api.info.description));
  const tags = document.getElementById("tags");
  for (const [name, rows] of groups) {
    const section = element("section", {}, element("h2", { id: slug(name) }, name), ...rows);
    main.append(section);
    tags.append(element("a", { href: `#${slug(name)}` }, name));
  }
  const named = document.getElementById(location.hash.slice(1));
  if (named) {
    if (named.tagName === "DETAILS") named.open = true;
    named.scrollIntoView();
  }
}

function find(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    let left = 0;
    for (const row of section.querySelectorAll("details.operation")) {
      row.hidden = !wanted.every((word) => row.dataset.words.includes(word));
      if (!row.hidden) left += 1;
    }
    section.hidden = !left;
  }
}

async function begin() {
  document.getElementById("find").addEventListener("input", (event) => find(event.target.value));
  const answer = await fetch("/docs/openapi.json");
  api = await answer.json();
  show();
}

begin().catch((error) => {
  document.getElementById("main").replaceChildren(
    element("p", { class: "failed" }, `The description could not be read: ${error.message}`));
});
