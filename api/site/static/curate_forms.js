// The forms: a source, a line of evidence, a claim with its quote.
import {
  ask, effectOf, element, faultInWords, link, make, pageOf, refusal, titleOf,
} from "./curate.js";
import {
  byName, changed, clearErrors, control, define, fields, forget, form, once, read, resume, showErrors, startForm, write,
} from "./curate_fields.js";

const kind = form.dataset.form;
// How many characters beside a quote are kept with it.
const BESIDE = 40;

function done(record, ...next) {
  forget();
  clearErrors();
  form.hidden = true;
  const place = element("done");
  place.replaceChildren(
    make("h2", {}, record.state === "accepted" ? "It is there" : "Proposed"),
    make("p", {}, `${record.kind} `, make("code", {}, record.id), ` waits for a second person: “${titleOf(record)}”`),
    make("p", { className: "actions" }, ...next, link("/curate", "My proposals")));
  place.hidden = false;
  place.focus();
}

// A source.
const NOT_STORED = "No source with this identifier is stored. This server looks nothing up on the internet, so fill in the form, or paste the citation.";
const IDENTIFIERS = [
  ["doi", /^(?:doi:|https?:\/\/(?:dx\.)?doi\.org\/)?(10\.\d{4,9}\/\S+)$/i],
  ["pmid", /^(?:pmid:?\s*|https?:\/\/pubmed\.ncbi\.nlm\.nih\.gov\/)?(\d{1,9})\/?$/i],
];

function identifierIn(text) {
  for (const [scheme, pattern] of IDENTIFIERS) {
    const found = pattern.exec(text.trim());
    if (found) return { scheme, value: found[1] };
  }
  return null;
}

function tellFound(...content) {
  element("found").replaceChildren(...content);
}

function alreadyThere(id, citation) {
  form.hidden = true;
  const query = new URLSearchParams({ source: id });
  tellFound(make("p", {}, "It is stored already: ", link(`/sources/${encodeURIComponent(id)}`, citation), "."),
    make("p", {}, link(`/curate/evidence?${query}`, "Propose what it says about a claim")));
}

function fillSource(record) {
  const { record: _kind, ...given } = record;
  const more = Object.fromEntries(Object.entries(given).filter(([name]) => !(name in byName)));
  write({ ...given, more: Object.keys(more).length ? JSON.stringify(more, null, 1) : "" });
  form.hidden = false;
  changed();
}

let lookedUp = 0;
async function lookUp(event) {
  event?.preventDefault();
  const turn = ++lookedUp;
  const text = element("cited").value.trim();
  clearErrors();
  if (!text) return tellFound(make("p", {}, "Paste a DOI, a PMID or a citation first."));
  tellFound(make("p", {}, "Looking …"));
  const identifier = identifierIn(text);
  if (identifier) {
    const answer = await ask("POST", "/v1/sources:lookup", { identifiers: [text] });
    if (turn !== lookedUp) return undefined;
    if (!answer.ok) return tellFound(make("p", {}, refusal(answer)));
    const [stored] = answer.data.data;
    if (stored) return alreadyThere(stored.source.id, stored.source.citation);
    fillSource({ type: "article-journal", identifiers: [identifier] });
    return tellFound(make("p", {}, NOT_STORED));
  }
  const answer = await ask("POST", "/v1/sources:parse", text, { "Content-Type": "text/plain" });
  if (turn !== lookedUp) return undefined;
  if (answer.status === 400) return tellPlainReference(text);
  if (!answer.ok) return tellFound(make("p", {}, refusal(answer)));
  const [entry, ...others] = answer.data.data;
  if (!entry) return tellFound(make("p", {}, "No citation was found in this text."));
  if (entry.outcome === "matched") return alreadyThere(entry.id, entry.id);
  const faults = entry.errors.map((error) => make("li", {}, faultInWords(error)));
  if (!entry.record) return tellFound(make("p", {}, "It cannot be used as it is:"), make("ul", {}, ...faults));
  fillSource({ id: entry.id, ...entry.record });
  const dropped = entry.dropped.length ? ` Not taken over: ${entry.dropped.join(", ")}.` : "";
  const rest = others.length ? ` The text has ${others.length} more; paste them one after the other.` : "";
  tellFound(make("p", {}, `Read as ${answer.data.format}. Look it over and choose the study design.${dropped}${rest}`));
}

// A reference as it is printed cannot be read reliably, but may be of a work that is stored.
async function tellPlainReference(text) {
  const query = new URLSearchParams({ q: text.slice(0, 400), match: "any", limit: 1 });
  const answer = await ask("GET", `/v1/sources?${query}`);
  const [like] = answer.ok ? answer.data.data : [];
  const words = "A plain reference cannot be read. Paste the work's DOI, or its BibTeX or RIS as the journal's page offers them, or fill in the form.";
  const stored = like ? [make("p", {}, "The stored work most like it: ", link(`/sources/${like.id}`, `${like.citation}, ${like.title ?? ""}`))] : [];
  return tellFound(make("p", {}, words), ...stored);
}

async function proposeSource() {
  const { more, ...record } = read();
  if (more) {
    try {
      Object.assign(record, JSON.parse(more));
    } catch {
      const error = { pointer: "/more", detail: "This is not JSON." };
      return showErrors({ status: 422, data: { errors: [error] } });
    }
  }
  // The form does not ask: whoever accepts the source looks whether its identifiers are those of the work.
  if (record.identifiers) record.identifiers = record.identifiers.map((each) => ({ verification: "unverified", ...each }));
  const answer = await ask("POST", "/v1/sources", record, once(record));
  if (!answer.ok) return showErrors(answer, ([name, ...rest]) => (name in byName ? [name, ...rest] : ["more"]));
  element("find").hidden = true;
  const query = new URLSearchParams({ source: answer.data.id });
  done(answer.data, link(`/curate/evidence?${query}`, "Propose what it says about a claim"));
}

// A line of evidence.
function lineOf() {
  const { claim = "", ...record } = read();
  return { claim, record };
}

// Whether all that a line needs is filled in; what is missing is said at each field at once.
function lineIsComplete(given) {
  const needed = fields.filter((field) => field.dataset.needed !== undefined).map((field) => field.dataset.field);
  const errors = needed.filter((name) => !given[name]).map((name) => ({ pointer: `/${name}`, code: "missing" }));
  if (given.level && given.level !== "not_gradable" && !given.question) {
    errors.push({ pointer: "/question", detail: "A level is that of a question: choose which one." });
  }
  if (errors.length) showErrors({ status: 422, data: { errors } });
  return errors.length === 0;
}

async function previewLine() {
  const { claim, record } = lineOf();
  if (!lineIsComplete({ claim, ...record })) return;
  const answer = await ask("POST", `/v1/claims/${encodeURIComponent(claim)}/evidence:preview`, record);
  const place = element("effect");
  place.hidden = !answer.ok;
  if (!answer.ok) return showErrors(answer);
  clearErrors();
  place.replaceChildren(make("h2", {}, "Effect on the status"), ...effectOf(answer.data));
  place.focus();
}

async function proposeLine() {
  const { claim, record } = lineOf();
  if (!lineIsComplete({ claim, ...record })) return;
  const answer = await ask("POST", `/v1/claims/${encodeURIComponent(claim)}/evidence`, record, once({ claim, record }));
  if (!answer.ok) return showErrors(answer);
  done(answer.data, link(pageOf(answer.data), "The claim"));
}

// The names that most lines have are filled in, as long as nobody chose others.
function fillNames() {
  const source = control(byName.source).value.trim();
  for (const name of ["key", "independence_group"]) {
    const input = control(byName[name]);
    if (input.value && input.value !== input.dataset.filled) continue;
    input.value = source;
    input.dataset.filled = source;
  }
}

// A claim with its quote. Places are counted in code points, as the API does.
async function digestOf(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Whether a text is the one in which the places of a document are counted; null where nobody knows.
async function isTextOf(document_, text) {
  const answer = document_ ? await ask("GET", `/v1/sources/${encodeURIComponent(document_)}`) : null;
  const expected = answer?.ok ? answer.data.text_sha256 : null;
  if (!expected || !window.isSecureContext) return null;
  for (const each of [text, text.trimEnd(), `${text}\n`]) if ((await digestOf(each)) === expected) return true;
  return false;
}

export function anchor(text, from, to) {
  const quote = text.slice(from, to);
  const begin = from + quote.length - quote.trimStart().length;
  const before = [...text.slice(0, begin)];
  const letters = [...quote.trim()];
  const after = [...text.slice(begin + quote.trim().length)];
  return {
    quote: letters.join(""),
    prefix: before.slice(-BESIDE).join(""),
    suffix: after.slice(0, BESIDE).join(""),
    start: before.length,
    end: before.length + letters.length,
  };
}

function fillQuote(picked) {
  const values = { ...read(), ...picked };
  if (!picked.start && picked.start !== 0) {
    delete values.start;
    delete values.end;
  }
  write(values);
  changed();
}

async function pick() {
  const area = element("text");
  const picked = anchor(area.value, area.selectionStart, area.selectionEnd);
  const state = element("text-state");
  if (!picked.quote) {
    state.textContent = "Select some words in the text first.";
    area.focus();
    return;
  }
  const fits = await isTextOf(control(byName.source).value.trim(), area.value);
  if (fits === false) {
    delete picked.start;
    delete picked.end;
  }
  fillQuote(picked);
  const places = {
    true: "This is the text in which places are counted.",
    false: "This is not exactly the text in which the places of this document are counted, so the place is left out.",
    null: "No fingerprint of this document's text is recorded: places are counted in what you pasted.",
  };
  state.textContent = `The quote is taken. ${places[fits]}`;
  control(byName.statement).focus();
}

// What is recorded already and is like the statement, so that nobody records it twice.
async function showAlike() {
  const sentences = [control(byName.statement).value.trim().slice(0, 2000)];
  const answer = sentences[0] ? await ask("POST", "/v1/claims:match", { sentences }) : null;
  const found = answer?.ok ? answer.data.data[0].claims : [];
  const lines = found.map((claim) => make("li", {}, link(claim.web_page, claim.statement)));
  element("alike").replaceChildren(
    ...(lines.length ? [make("p", {}, "These claims are recorded already. Is yours one of them?"), make("ul", {}, ...lines)] : []));
}

async function proposeClaim() {
  const values = read();
  const occurrence = { record: "occurrence", claim: values.id ?? "" };
  const claim = { record: "claim" };
  for (const [name, value] of Object.entries(values)) {
    (byName[name].dataset.part ? occurrence : claim)[name] = value;
  }
  const records = [claim, occurrence];
  const answer = await ask("POST", "/v1/claims:batch", { records }, once(records));
  // `/records/1/quote` is the quote; what is wrong with the occurrence's claim is the claim's id.
  const places = ([, number, name, ...rest]) => [number === "1" && name === "claim" ? "id" : name, ...rest];
  if (!answer.ok) return showErrors(answer, places);
  const query = new URLSearchParams({ claim: answer.data.data[0].id });
  done(answer.data.data[0], link(`/curate/evidence?${query}`, "Propose evidence on it"));
}

function takeSelection() {
  const given = sessionStorage.getItem("claimbase-selection");
  if (given === null) return;
  sessionStorage.removeItem("claimbase-selection");
  const { document: source, ...picked } = JSON.parse(given);
  if (source !== control(byName.source).value) return;
  fillQuote(picked);
  element("text-state").textContent = "The words that you selected in the article are taken as the quote.";
}

async function readOwnText() {
  const source = control(byName.source).value.trim();
  const answer = source ? await ask("GET", `/v1/sources/${encodeURIComponent(source)}`) : null;
  const kept = answer?.ok && localStorage.getItem(`claimbase-text-${answer.data.text_sha256}`);
  if (kept && !element("text").value) {
    element("text").value = kept;
    element("text-state").textContent = "The copy of the text in this browser is shown.";
  }
}

const PROPOSE = { source: proposeSource, evidence: proposeLine, claim: proposeClaim };
const SET_UP = {
  source: () => {
    element("find").addEventListener("submit", lookUp);
    if (element("cited").value && form.hidden) lookUp();
  },
  evidence: () => {
    element("preview").addEventListener("click", previewLine);
    control(byName.source).addEventListener("change", fillNames);
    if (!control(byName.directness).value) control(byName.directness).value = "direct";
    fillNames();
    define(byName.directness);
  },
  claim: () => {
    element("pick").addEventListener("click", pick);
    control(byName.statement).addEventListener("change", showAlike);
    takeSelection();
    readOwnText();
  },
};

startForm({
  propose: PROPOSE[kind],
  setUp: () => {
    resume();
    SET_UP[kind]();
  },
});
