// What all pages of curating share: the key of this tab, requests with it, and how things are said.
// The key is in sessionStorage, so that it ends with the tab, and goes out as a header alone.
const STORED = "claimbase-key";
const ROLES = ["contributor", "curator", "admin"];
const PLURALS = {
  collection: "collections", topic: "topics", source: "sources", claim: "claims",
  occurrence: "occurrences", relation: "relations", evidence: "evidence", assessment: "assessments",
  suggestion: "suggestions", comment: "comments",
};
const DISCUSSION = ["suggestion", "comment"];
// Whose key it is: `name` and `role`; null before anybody signed in.
export let me = null;

export function element(id) {
  return document.getElementById(id);
}

// Texts become text, never markup.
export function make(tag, properties = {}, ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content.filter((each) => each !== null && each !== undefined));
  return made;
}

export function link(address, text) {
  return make("a", { href: address }, text);
}

export function inWords(term) {
  return String(term ?? "").replaceAll("_", " ");
}

export function chip(status) {
  return make("span", { className: `chip status-${status ?? "none"}` }, status ? inWords(status) : "no status");
}

export { dayInWords as day } from "./years.js";

export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The API's answer to a request: `ok`, `status`, `data` and `tag`. Nothing is thrown.
export async function ask(method, path, body, headers = {}) {
  const key = sessionStorage.getItem(STORED);
  const sent = { Accept: "application/json", ...headers };
  if (key) sent.Authorization = `Bearer ${key}`;
  if (body !== undefined && !sent["Content-Type"]) sent["Content-Type"] = "application/json";
  const content = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  try {
    const response = await fetch(path, { method, headers: sent, body: content, cache: "no-store" });
    const data = await response.json();
    const wait = response.headers.get("Retry-After");
    const answer = { ok: response.ok, status: response.status, data, wait, tag: response.headers.get("ETag") };
    if (answer.status === 401 && me) leave("The key is not good any more: it was revoked, or has expired.");
    return answer;
  } catch {
    return { ok: false, status: 0, data: { detail: "The server did not answer; try again.", errors: [] } };
  }
}

// What a refusal means, in words.
export function refusal(answer) {
  const told = {
    401: "Sign in again: the key is unknown, was revoked, or has expired.",
    403: `You may not do this. ${answer.data.detail}`,
    412: "Somebody changed it meanwhile. It is shown as it is now; look at it again, then decide.",
    428: "Nothing said which version you mean. Load the page again, then decide.",
    429: `Too much was sent in a short time. Try again in ${answer.wait ?? 60} seconds.`,
  };
  return told[answer.status] ?? answer.data.detail;
}

// What is wrong with a field, for people who fill in a form: the API's own words are those of its types.
const FAULTS = {
  missing: "This is needed.",
  string_too_short: "This is needed.",
  too_short: "This is needed.",
  int_parsing: "Write a whole number, such as 20.",
  int_type: "Write a whole number, such as 20.",
  int_from_float: "Write a whole number, such as 20.",
  float_parsing: "Write a number, such as 0.5.",
  float_type: "Write a number, such as 0.5.",
  string_type: "Write a text.",
  malformed_slug: "A short name has small letters from a to z and digits, joined by single hyphens, such as doepp-2010.",
  unknown_term: "Choose one of those that are offered.",
  unknown_field: "There is no field of this name.",
};
const BOUNDS = [
  [/^Input should be greater than or equal to (.*)$/, "It is $1 or more."],
  [/^Input should be less than or equal to (.*)$/, "It is $1 or less."],
  [/^Input should be greater than (.*)$/, "It is more than $1."],
  [/^Input should be less than (.*)$/, "It is less than $1."],
  [/^(?:String|Value|List) should have at most (.*?)(?: after validation.*)?$/, "This is too long: it has $1 at most."],
  [/^(?:Input|String|Value|List) should (.*)$/, "This cannot be used: it should $1."],
];

export function faultInWords(error) {
  const told = FAULTS[error.code]
    ?? BOUNDS.reduce((text, [pattern, words]) => text.replace(pattern, words), error.detail);
  return error.suggestion ? `${told} Did you mean ${error.suggestion}?` : told;
}

// Whether a proposal refers to another one: it cannot be accepted before it, and falls with it.
export function restsOn(record, other) {
  const named = record.record;
  const tie = `${record.claim}:${named.relation_type}:${named.relation_target}`;
  return record !== other && {
    source: [named.source, ...(named.pools ?? []), ...(named.cites ?? []).map((each) => each.source), ...(named.versions ?? []).map((each) => each.source)],
    claim: [["claim", ...DISCUSSION].includes(record.kind) ? null : record.claim, named.target, named.main_claim],
    relation: [tie],
    topic: named.topics ?? [],
    collection: [named.collection],
  }[other.kind]?.includes(other.id) === true;
}

// The proposals that fall with one, each after the one that it rests on.
export function fallingWith(record, proposals) {
  const fallen = [record];
  for (const each of fallen) fallen.push(...proposals.filter((other) => !fallen.includes(other) && restsOn(other, each)));
  return fallen.slice(1);
}

export function nameOf(record) {
  return `${inWords(record.kind)} ${record.id}`;
}

export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

export function may(role) {
  return me !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);
}

// Whether a name is that of whoever signed in, however it is spelled.
export function isMe(name) {
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/\s/g, "");
  return me !== null && Boolean(name) && plain(name) === plain(me.name);
}

export function recordAddress(kind, id) {
  return `/v1/records/${kind}/${encodeURIComponent(id)}`;
}

export function ownAddress(kind, id) {
  return `/v1/${PLURALS[kind]}/${encodeURIComponent(id)}`;
}

// Whether a record says something of another one.
export function isSaid(record) {
  return DISCUSSION.includes(record.kind);
}

// A record by its name, such as `evidence/ccsvi-causes-ms:doepp-2010`: its kind, id and claim.
export function named(name) {
  const [kind, ...rest] = name.split("/");
  const id = rest.join("/");
  const key = id.split(":");
  return { kind, id, claim: kind === "claim" || key.length > 1 ? key[0] : null, key: key.slice(1).join(":") };
}

// A record by its name, with a link to where people read it.
export function linkTo(name) {
  const record = named(name);
  const place = record.kind === "evidence" ? `#${encodeURIComponent(record.key)}` : "";
  const page = pageOf(record);
  const words = nameOf(record);
  return page === null ? words : link(`${page}${place}`, words);
}

// Where people read about a record that is accepted.
export function pageOf(record) {
  if (record.kind === "source") return `/sources/${encodeURIComponent(record.id)}`;
  if (record.kind === "topic") return `/topics/${encodeURIComponent(record.id)}`;
  return record.claim ? `/claims/${encodeURIComponent(record.claim)}` : null;
}

export function titleOf(record) {
  const { statement, title, finding, quote, label, name, verdict, reason, text } = record.record;
  return statement ?? title ?? finding ?? quote ?? label ?? name ?? verdict ?? reason ?? text ?? record.id;
}

// A value of a field as people read it.
export function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.map(shown).join("; ") : "–";
  if (typeof value === "object") {
    const given = Object.entries(value).filter(([, each]) => each !== null && each !== "");
    return given.map(([name, each]) => `${inWords(name)} ${shown(each)}`).join(", ");
  }
  return String(value);
}

// What accepting a line of evidence does to the status.
export function effectOf(preview) {
  const side = (heading, told) => [
    make("dt", {}, heading),
    make("dd", {}, chip(told.status), told.certainty ? ` ${inWords(told.certainty)} certainty. ` : " ",
      `${told.sentence} `, make("code", {}, told.status_rule)),
  ];
  const change = preview.changes_status
    ? "Accepting it changes the status, its rule or its certainty."
    : "Accepting it changes neither the status, nor its rule, nor its certainty.";
  const parts = [
    make("p", {}, make("strong", {}, change)),
    make("dl", {}, ...side("Before", preview.before), ...side("After", preview.after)),
  ];
  if (preview.warnings.length) {
    const told = preview.warnings.map((each) =>
      make("li", {}, each.detail, each.lines.length ? ` (${each.lines.join(", ")})` : ""));
    parts.push(make("p", {}, "Mind:"), make("ul", { className: "warning-list" }, ...told));
  }
  return parts;
}

// What accepting a suggestion does to the status of each claim that rests on its record.
export function effectOfSuggestion(preview) {
  if (!preview.claims.length) return [make("p", {}, "No claim rests on it, so no status would change.")];
  return [make("ul", {}, ...preview.claims.map(({ claim, changes_status: changes, before, after }) => make("li", {},
    link(`/claims/${encodeURIComponent(claim)}`, claim), ": ", chip(before.status), " → ",
    after ? chip(after.status) : make("strong", {}, "retracted"), " ",
    changes ? (after?.sentence ?? "") : "Neither the status, nor its rule, nor its certainty changes.")))];
}

// A table that scrolls by itself where it is too wide; on a phone its cells stand below each other.
export function tableOf(name, heads, rows) {
  const head = make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each)));
  const body = rows.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, ...[first].flat()),
    ...rest.map((cell, place) => {
      const made = make("td", {}, cell);
      made.dataset.head = heads[place + 1];
      return made;
    })));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  const around = make("div", { className: "table comparison", tabIndex: 0 }, table);
  around.setAttribute("role", "group");
  around.setAttribute("aria-label", name);
  return around;
}

// What is said of a record: a change of fields, a retraction, or a comment with its flag. `first` makes
// what stands first in the row of a field, if not its name alone.
export function saidOf(record, changes = [], first = (change) => inWords(change.field)) {
  const { action, reason, source, text, flag } = record.record;
  const parts = [];
  if (action === "retract") parts.push(make("p", {}, make("strong", {}, "It should be retracted.")));
  if (changes.length) {
    const heads = ["Field", record.state === "submitted" ? "Now" : "Before", "Suggested"];
    parts.push(tableOf("What it changes", heads, changes.map((each) =>
      [first(each), shown(each.now), shown(each.suggested)])));
  }
  if (flag) parts.push(make("p", {}, make("span", { className: "flag" }, inWords(flag))));
  parts.push(make("p", {}, reason ? "Reason: " : "Comment: ", make("q", {}, reason ?? text)));
  if (source) parts.push(make("p", {}, "It is borne out by ", linkTo(`source/${source}`), "."));
  return parts;
}

// Drafts in this browser, by the address of their form.
const DRAFT = "claimbase-draft:";

export function drafts() {
  return Object.keys(localStorage)
    .filter((name) => name.startsWith(DRAFT))
    .map((name) => ({ address: name.slice(DRAFT.length), ...JSON.parse(localStorage.getItem(name)) }));
}

export function readDraft(address) {
  const kept = localStorage.getItem(DRAFT + address);
  return kept === null ? null : JSON.parse(kept);
}

// Whether there was room to keep it.
export function keepDraft(address, values) {
  try {
    localStorage.setItem(DRAFT + address, JSON.stringify({ at: new Date().toISOString(), values }));
    return true;
  } catch {
    return false;
  }
}

export function deleteDraft(address) {
  localStorage.removeItem(DRAFT + address);
}

// Signing in and out.
let begin = () => {};

function showWhatIsAllowed() {
  for (const place of document.querySelectorAll("[data-needs]")) place.hidden = !may(place.dataset.needs);
  element("signed-in").hidden = me === null;
  element("sign-in").hidden = me !== null;
  if (me === null) return;
  element("who").replaceChildren("Signed in as ", make("strong", {}, me.name), `, ${me.role}.`);
  const closed = document.querySelector("[data-only][hidden]");
  element("refused").hidden = closed === null;
  element("refused").textContent = closed
    ? `This needs a key of the role ${closed.dataset.needs}; yours is that of a ${me.role}.`
    : "";
}

function leave(why = "") {
  sessionStorage.removeItem(STORED);
  me = null;
  showWhatIsAllowed();
  element("refused").hidden = true;
  element("key-error").textContent = why;
  element("key").focus();
}

async function enter() {
  const answer = await ask("GET", "/v1/key");
  if (!answer.ok) {
    leave(answer.status === 401 ? "This key is not known here, was revoked, or has expired." : refusal(answer));
    return;
  }
  me = answer.data;
  element("key-error").textContent = "";
  showWhatIsAllowed();
  begin();
}

// Begin a page: `work` runs each time somebody has signed in.
export async function start(work) {
  begin = work;
  element("sign-out").addEventListener("click", () => leave());
  element("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = element("key").value.trim();
    element("key").value = "";
    // No header could carry it.
    if (!/^[!-~]+$/.test(key)) {
      leave("This is no key: a key has no letters but a to z and A to Z, no accents and no blanks. Was it copied whole?");
      return;
    }
    sessionStorage.setItem(STORED, key);
    enter();
  });
  if (sessionStorage.getItem(STORED)) await enter();
  else element("sign-in").hidden = false;
}
