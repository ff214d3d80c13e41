// The form of a suggestion: the fields of a record as they are, of which those that somebody changed are
// sent as a merge patch; or that it be retracted; or a comment on it.
import {
  ask, effectOfSuggestion, element, inWords, linkTo, link, make, named, recordAddress, refusal, shown, tableOf, titleOf,
} from "./curate.js";
import {
  byName, clearErrors, control, fields, forget, form, once, read, resume, showErrors, startForm, write,
} from "./curate_fields.js";

const about = form.dataset.about;
const SAID = ["reason", "flag", "borne_by"];
const LEFT_OUT = ["state", "replaced_by", "claim"];
const WORDS = {
  change: { send: "Send the suggestion", reason: "Reason" },
  retract: { send: "Send the suggestion", reason: "Reason" },
  comment: { send: "Send the comment", reason: "Comment" },
};
// The record as it is, and what its form has before anybody changes it.
let present = {};
let unchanged = {};

function action() {
  return form.querySelector('[name="action"]:checked').value;
}

// Of an object only its fields that are there, in one order.
function plain(value) {
  return JSON.stringify(value ?? null, (_name, each) => {
    if (each === null || typeof each !== "object" || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).filter(([, part]) => part !== null).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

// A merge patch (RFC 7396) from one value of a field to another: what an object has no more is null in it.
function patchOf(before, after) {
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject(before) || !isObject(after)) return after ?? null;
  const gone = Object.keys(before).filter((name) => !(name in after)).map((name) => [name, null]);
  return Object.fromEntries([...Object.entries(after).map(([name, value]) => [name, patchOf(before[name], value)]), ...gone]);
}

// What somebody changed: from each field to its new value. Throws where the JSON is none.
function changedFields() {
  const values = read();
  const made = {};
  for (const { dataset: { field: name } } of fields) {
    if (SAID.includes(name) || name === "more" || plain(values[name]) === plain(unchanged[name])) continue;
    made[name] = values[name] ?? (Array.isArray(present[name]) ? [] : null);
  }
  const others = values.more ? JSON.parse(values.more) : {};
  const before = JSON.parse(unchanged.more ?? "{}");
  for (const name of new Set([...Object.keys(before), ...Object.keys(others)])) {
    if (plain(before[name]) !== plain(others[name])) made[name] = others[name] ?? null;
  }
  // As in the form of a source: whoever decides looks whether they are those of the work.
  if (made.identifiers) made.identifiers = made.identifiers.map((each) => ({ verification: "unverified", ...each }));
  return made;
}

function showDifference() {
  let made = {};
  let fault = "";
  try {
    made = changedFields();
  } catch {
    fault = "What stands in “All other fields” is not JSON.";
  }
  const rows = Object.entries(made).map(([name, value]) => [inWords(name), shown(present[name]), shown(value)]);
  element("differs").replaceChildren(rows.length
    ? tableOf("What you suggest", ["Field", "Now", "Suggested"], rows)
    : make("p", { className: "soft" }, fault || "Nothing yet: change a field above."));
}

function adapt() {
  const chosen = action();
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== chosen;
  byName.flag.hidden = chosen !== "comment";
  byName.borne_by.hidden = chosen === "comment";
  element("send").textContent = WORDS[chosen].send;
  byName.reason.querySelector("label").firstChild.textContent = `${WORDS[chosen].reason} `;
}

// A draft holds what was changed alone, so that it never brings back what somebody else changed since.
const draft = {
  read() {
    const { reason, flag, borne_by, more } = read();
    const kept = { reason, flag, borne_by, action: action() };
    try {
      return { ...kept, patch: changedFields() };
    } catch {
      return { ...kept, patch: {}, more };
    }
  },
  write({ patch, action: chosen, more, ...said }) {
    fill({ ...present, ...patch }, said);
    if (more) control(byName.more).value = more;
    form.querySelector(`[name="action"][value="${chosen}"]`).checked = true;
    adapt();
    showDifference();
  },
};

// The form with a record in it; what it has no field for stands there as JSON.
function fill(record, said = {}) {
  const skipped = [...LEFT_OUT, ...form.dataset.key.split(" ")];
  const others = Object.fromEntries(Object.entries(record).filter(([name, value]) =>
    !(name in byName) && !skipped.includes(name) && value !== null));
  write({ ...record, ...said, more: Object.keys(others).length ? JSON.stringify(others, null, 1) : "" });
}

function tell(...content) {
  element("about").replaceChildren(...content);
}

async function load() {
  const { kind, id } = named(about);
  const answer = await ask("GET", recordAddress(kind, id));
  if (!answer.ok) return tell(refusal(answer));
  if (answer.data.state !== "accepted") {
    return tell(`The ${inWords(kind)} ${id} is ${answer.data.state}: only of what is accepted a change can be suggested.`);
  }
  present = answer.data.record;
  tell("About ", linkTo(about), `: “${titleOf(answer.data)}”`);
  fill(present);
  unchanged = read();
  form.hidden = false;
  resume();
  adapt();
  return showDifference();
}

// `/patch/level` and `/level` are the field; what the suggestion itself has goes by other names here.
function places([first, ...rest]) {
  const parts = first === "patch" ? rest : [{ source: "borne_by", text: "reason" }[first] ?? first, ...rest];
  if (parts.length === 0) return ["differs"];
  return first === "patch" && !(parts[0] in byName) ? ["more", ...parts] : parts;
}

function fault(name, told) {
  return { status: 422, data: { errors: [{ pointer: `/${name}`, ...told }] } };
}

function tellNothingChanged() {
  const place = element("e-differs");
  place.textContent = "Change a field first, or choose that it should be retracted.";
  place.hidden = false;
  form.querySelector("[data-for] input, [data-for] select, [data-for] textarea").focus();
}

// What is sent where; null where something is missing, which the form then says.
function content() {
  const { reason, flag, borne_by: source } = read();
  const chosen = action();
  const errors = reason ? [] : [{ pointer: "/reason", code: "missing" }];
  if (chosen === "comment") {
    if (errors.length) showErrors({ status: 422, data: { errors } });
    return errors.length ? null : ["/v1/comments", { about, text: reason, ...(flag ? { flag } : {}) }];
  }
  let patch = {};
  try {
    if (chosen === "change") patch = changedFields();
  } catch {
    showErrors(fault("more", { detail: "This is not JSON." }));
    return null;
  }
  if (chosen === "change" && !Object.keys(patch).length) {
    tellNothingChanged();
    return null;
  }
  if (errors.length) {
    showErrors({ status: 422, data: { errors } });
    return null;
  }
  const sent = Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, patchOf(present[name], value)]));
  return ["/v1/suggestions", {
    about, action: chosen, reason, ...(source ? { source } : {}), ...(chosen === "change" ? { patch: sent } : {}),
  }];
}

async function send() {
  clearErrors();
  element("e-differs").hidden = true;
  const made = content();
  if (made === null) return;
  const [address, body] = made;
  const answer = await ask("POST", address, body, once(body));
  if (!answer.ok) return showErrors(answer, places);
  forget();
  form.hidden = true;
  const { id, kind } = answer.data;
  const effect = make("div", { id: "effect", role: "status" });
  const place = element("done");
  place.replaceChildren(
    make("h2", {}, kind === "comment" ? "Your comment is sent" : "Your suggestion is sent"),
    make("p", {}, link(`/curate#${id}`, id), " waits for a curator. You see there what becomes of it."),
    effect,
    make("p", { className: "actions" }, linkTo(about), link("/curate", "What I proposed")));
  place.hidden = false;
  place.focus();
  if (kind === "comment") return;
  const preview = await ask("POST", `/v1/suggestions/${encodeURIComponent(id)}:preview`);
  effect.replaceChildren(make("h3", {}, "If it is accepted"),
    ...(preview.ok ? effectOfSuggestion(preview.data) : [make("p", {}, refusal(preview))]));
}

form.addEventListener("input", showDifference);
form.addEventListener("click", showDifference);
form.addEventListener("change", adapt);
startForm({
  propose: send,
  setUp: load,
  draft,
  reset: () => {
    form.reset();
    fill(present);
    adapt();
    showDifference();
  },
});
