// The queue: each proposal with what it changes, and decisions on one or many.
import {
  ask, counted, day, effectOf, effectOfSuggestion, element, fallingWith, inWords, isMe, isSaid, link, linkTo, make,
  may, named, nameOf, ownAddress, pageOf, recordAddress, refusal, restsOn, saidOf, shown, start, tableOf, titleOf,
} from "./curate.js";

// The last changes that are looked at for what may be undone.
const LATELY = 60;
const UNDONE = ["accept", "reject", "update", "retract", "merge", "undo"];
// Fields that say nothing of what is proposed.
const LEFT_OUT = ["state", "replaced_by", "claim", "created", "updated"];
let records = [];
// Who decides here: `two_people`, or `one_person` who may decide on their own proposals.
let review = "two_people";

// The changes of a claim's records of a kind, asked for once.
let asked = new Map();
function changesOf(claim, kind) {
  const name = `${kind} ${claim}`;
  if (!asked.has(name)) asked.set(name, readChanges(claim, kind));
  return asked.get(name);
}

async function readChanges(claim, kind) {
  const query = new URLSearchParams({ claim, kind, include: "body", limit: "200" });
  const found = [];
  for (;;) {
    const answer = await ask("GET", `/v1/changes?${query}`);
    if (!answer.ok) return found;
    found.push(...answer.data.data);
    if (answer.data.page.next >= answer.data.page.last) return found;
    query.set("since", answer.data.page.next);
  }
}

// The version of a record before this one, or null: only claims and their parts tell of theirs.
async function versionBefore({ claim, kind, id, serial }) {
  // A claim that waits is not in the feed by its own name yet, and asking for it is no error.
  const changes = claim ? await changesOf(claim, kind) : [];
  const own = changes.filter((each) => each.record === `${kind}/${id}` && each.serial < serial && each.body);
  return own.at(-1)?.body ?? null;
}

function same(one, other) {
  return shown(one) === shown(other);
}

// Before and after, only fields that differ.
export function comparison(before, after) {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before ?? {})])];
  const rows = names
    .filter((name) => !LEFT_OUT.includes(name) && !same(before?.[name], after[name]))
    .map((name) => [inWords(name), ...(before ? [shown(before[name])] : []), shown(after[name])]);
  // A decision that was undone leaves what there was before it: then the whole is shown.
  if (before && !rows.length) return comparison(null, after);
  const heads = before ? ["Field", "Before", "After"] : ["Field", "Proposed"];
  return tableOf("What differs", heads, rows);
}

function button(words, about, work, primary = false) {
  const made = make("button", { type: "button", className: primary ? "primary" : "" }, words);
  made.setAttribute("aria-label", `${words}: ${about}`);
  made.addEventListener("click", async () => {
    made.disabled = true;
    await work();
    made.disabled = false;
  });
  return made;
}

function commentField(place, label) {
  const id = `comment-${place}`;
  const area = make("textarea", { id, rows: 2, maxLength: 2000 });
  const fault = make("p", { className: "field-error", id: `${id}-error`, hidden: true });
  area.setAttribute("aria-describedby", fault.id);
  const field = make("div", { className: "field" }, make("label", { htmlFor: id }, label), area, fault);
  return { field, area, fault };
}

// Whether a comment is there; if not, the field says so and has the focus.
function hasComment(area, fault, what) {
  const given = area.value.trim() !== "";
  area.setAttribute("aria-invalid", String(!given));
  fault.hidden = given;
  fault.textContent = given ? "" : `Say why you ${what} it: the comment is needed.`;
  if (!given) area.focus();
  return given;
}

async function decide(record, action, comment, fields) {
  const body = { ...(comment ? { comment } : {}), ...(fields ? { fields } : {}) };
  return ask("POST", `${recordAddress(record.kind, record.id)}:${action}`, body, {
    "If-Match": `"${record.revision}"`,
  });
}

function say(...content) {
  element("queue-state").replaceChildren(...content);
}

// Names of proposals of this queue, each a link to its card.
function cardLinks(proposals) {
  return proposals.flatMap((each, place) => [place ? ", " : "", link(`#queue-${records.indexOf(each)}`, nameOf(each))]);
}

function before(record) {
  return records.filter((other) => restsOn(record, other));
}

// What became of a decision that was refused, and what to do first.
function refused(record, answer) {
  const same = records.find((each) => each.kind === record.kind && each.id === record.id) ?? record;
  const first = answer.data.errors?.some((error) => error.code === "not_accepted") ? before(same) : [];
  if (!first.length) return [`${record.id}: ${refusal(answer)} `];
  return [`${record.id} rests on what waits, too. Accept first: `, ...cardLinks(first), ". "];
}

async function decideOne(record, action, comment, fields) {
  const falling = action === "reject" ? fallingWith(record, records) : [];
  const answer = await decide(record, action, comment, fields);
  await load();
  const also = falling.length ? ` So is what rests on it: ${falling.map(nameOf).join(", ")}.` : "";
  if (answer.ok) say(`${record.id} is ${answer.data.state}.${also}`);
  else say(...refused(record, answer));
  element("queue-state").focus();
}

function titleOfSaid(record) {
  const said = { change: "Change", retract: "Retract", undefined: "Comment on" };
  return `${said[record.record.action]} ${nameOf(named(record.record.about))}`;
}

// What a record is about: its card where it waits, too, else its page. What is said of others has none.
function aboutOf(record) {
  const waits = records.find((each) => `${each.kind}/${each.id}` === record.record.about);
  const target = named(record.record.about);
  const shownAs = isSaid(target) ? nameOf(target) : linkTo(record.record.about);
  return make("p", {}, "About ", ...(waits ? cardLinks([waits]) : [shownAs]), ".");
}

// The fields of a suggestion, each with a box to take it; those that somebody else changed are left out.
function choiceOf(change) {
  const box = make("input", { type: "checkbox", className: "take", value: change.field, checked: !change.outdated, disabled: change.outdated });
  const name = make("label", {}, box, ` ${inWords(change.field)}`);
  return change.outdated ? [name, make("p", { className: "soft" }, "changed since")] : [name];
}

// A card of what is said of a record, with what it would change of that as it is now.
async function describeSaid(record, card, told, actions) {
  card.append(aboutOf(record));
  if (record.kind === "comment") return card.append(...saidOf(record));
  const address = ownAddress("suggestion", record.id);
  const answer = await ask("GET", address);
  if (!answer.ok) return card.append(make("p", {}, refusal(answer)));
  const { changes, outdated } = answer.data;
  card.append(...saidOf(record, changes, changes.length > 1 || outdated ? choiceOf : undefined));
  if (outdated) {
    card.append(make("p", { className: "outdated" }, "Outdated: somebody changed since what it changes, or its record is not there any more."));
    actions.append(button("Carry over to the record as it is now", record.id, async () => {
      const carried = await ask("POST", `${address}:carry_over`, undefined, { "If-Match": `"${record.revision}"` });
      await load();
      say(carried.ok ? `${record.id} is carried over.` : `${record.id}: ${refusal(carried)}`);
      element("queue-state").focus();
    }));
  }
  return actions.append(button("Show its effect", record.id, async () => {
    const preview = await ask("POST", `${address}:preview`);
    told.replaceChildren(...(preview.ok ? effectOfSuggestion(preview.data) : [make("p", {}, refusal(preview))]));
  }));
}

// The fields of a suggestion that are chosen; undefined where all of them are, or it has no choice: what
// cannot be taken the answer then says.
function takenIn(card) {
  const boxes = [...card.querySelectorAll(".take")];
  const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
  return chosen.length === boxes.length || boxes.every((box) => box.disabled) ? undefined : chosen;
}

async function cardOf(record, place) {
  const own = review === "two_people" && isMe(record.proposed_by);
  const title = isSaid(record) ? titleOfSaid(record) : titleOf(record);
  const about = pageOf({ ...record, kind: record.kind === "source" ? "" : record.kind });
  const choice = make("input", { type: "checkbox", value: String(place), className: "choose" });
  choice.setAttribute("aria-label", `Choose ${record.id}`);
  const days = record.age_days < 1 ? "today" : `${Math.round(record.age_days)} days ago`;
  const card = make("li", { className: "panel proposal", id: `queue-${place}` },
    make("h2", {}, own ? null : choice, own ? null : " ", title),
    make("p", { className: "soft" }, `${inWords(record.kind)} `, make("code", {}, record.id), ` · proposed by ${record.proposed_by}, ${days}`,
      ...(about && record.kind !== "claim" && !isSaid(record) ? [" · about ", link(about, record.claim)] : [])),
    record.conflict_of_interest ? make("p", { className: "soft" }, "The proposer's interests: ", make("q", {}, record.conflict_of_interest.text), `, declared on ${day(record.conflict_of_interest.declared)}`) : null,
    record.comment ? make("p", {}, "Comment: ", make("q", {}, record.comment)) : null);
  card.dataset.record = `${record.kind}/${record.id}`;
  const first = before(record);
  if (first.length) card.append(make("p", { className: "soft" }, "It rests on what waits, too: ", ...cardLinks(first), "."));
  const falling = fallingWith(record, records);
  if (falling.length) card.append(make("p", { className: "soft" }, "If it is rejected, so is what rests on it: ", ...cardLinks(falling), "."));
  const told = make("div", { className: "told", role: "status" });
  const actions = make("p", { className: "actions" });
  if (isSaid(record)) await describeSaid(record, card, told, actions);
  else card.append(comparison(await versionBefore(record), record.record));
  if (record.kind === "evidence") {
    actions.append(button("Show its effect", record.id, async () => {
      const answer = await ask("POST", `${ownAddress("evidence", record.id)}:preview`);
      if (answer.ok) told.replaceChildren(...effectOf(answer.data));
      else told.textContent = refusal(answer);
    }));
  }
  if (own) {
    card.append(make("p", { className: "soft" }, "You proposed this: another curator decides."), actions, told);
    return card;
  }
  const { field, area, fault } = commentField(`p${place}`, "Comment (needed to reject)");
  actions.append(
    button("Accept", record.id, () => decideOne(record, "accept", area.value.trim(), takenIn(card)), true),
    button("Reject", record.id, () => hasComment(area, fault, "reject") && decideOne(record, "reject", area.value.trim())));
  card.append(field, actions, told);
  return card;
}

function countChosen() {
  const number = document.querySelectorAll(".choose:checked").length;
  element("chosen").textContent = number ? `${number} chosen` : "";
}

async function load() {
  const answer = await ask("GET", "/v1/reviews?limit=50");
  if (!answer.ok) return say(refusal(answer));
  records = answer.data.data;
  asked = new Map();
  const cards = [];
  for (const [place, record] of records.entries()) cards.push(await cardOf(record, place));
  element("queue").replaceChildren(...cards);
  element("many").hidden = !document.querySelector(".choose");
  element("all").checked = false;
  countChosen();
  say(records.length ? `${counted(records.length, "proposal")}${answer.data.page.next ? ", and more after them" : ""}.` : "Nothing waits for review.");
  await loadLately();
}

// Of one decision among many that was not made, as the answer to it alone would have it.
function answerOf({ error }) {
  return { status: { forbidden: 403, precondition_failed: 412 }[error.code], data: error };
}

async function decideMany(action, comment) {
  const chosen = [...document.querySelectorAll(".choose:checked")].map((box) => records[Number(box.value)]);
  if (!chosen.length) return say("Choose some proposals first.");
  const decisions = chosen.map(({ kind, id, revision }) => ({ kind, record: id, action, revision }));
  const answer = await ask("POST", "/v1/reviews:decide", { decisions, mode: "each", comment: comment || null });
  await load();
  const done = `${answer.data.done} of ${chosen.length} ${action === "accept" ? "accepted" : "rejected"}. `;
  if (!answer.ok) say(refusal(answer));
  else say(done, ...answer.data.data.flatMap((each, place) => each.done ? [] : refused(chosen[place], answerOf(each))));
  element("queue-state").focus();
}

async function undo(change, area, fault) {
  if (!hasComment(area, fault, "undo")) return;
  const answer = await ask("POST", `/v1/revisions/${change.serial}:undo`, { comment: area.value.trim() });
  await load();
  say(answer.ok ? `Undone: ${change.record}.` : refusal(answer));
  element("queue-state").focus();
}

async function loadLately() {
  const newest = await ask("GET", "/v1/changes?limit=1");
  if (!newest.ok) return;
  const since = Math.max(0, newest.data.page.last - LATELY);
  const answer = await ask("GET", `/v1/changes?since=${since}&limit=${LATELY}&include=body`);
  if (!answer.ok) return;
  const steps = answer.data.data.filter((each) => each.action !== "derive");
  // Only the last change of a record can be undone, and only with all that was changed together.
  const last = new Map(steps.map((each) => [each.record, each]));
  const done = new Set(steps.filter((each) => last.get(each.record).change !== each.change).map((each) => each.change));
  // A new version of what waits is its proposer's affair.
  const changes = steps.filter((each) => UNDONE.includes(each.action) && (each.action !== "update" || each.state !== "submitted"));
  const cards = changes.reverse().map((change) => {
    const [kind, ...rest] = change.record.split("/");
    const id = rest.join("/");
    const row = make("li", { className: "change" },
      make("p", {}, make("strong", {}, inWords(change.action)), ` · ${kind} `, make("code", {}, id),
        ` · ${change.actor}, ${day(change.at)}`, change.comment ? make("span", {}, " · ", make("q", {}, change.comment)) : null));
    if (done.has(change.change)) {
      const since = last.get(change.record);
      if (since !== change) row.firstChild.append(` · ${since.action === "undo" ? "undone" : "changed again"} since`);
      return row;
    }
    const details = make("details", {}, make("summary", {}, `What changed, and undo: ${id}`));
    details.addEventListener("toggle", async () => {
      if (!details.open || details.childElementCount > 1) return;
      const before = await versionBefore({ kind, id, claim: change.claim, serial: change.serial });
      const { field, area, fault } = commentField(`u${change.serial}`, "Why it is undone (needed)");
      const differs = before && comparison({ ...before, "where it stands": before.state }, { ...change.body, "where it stands": change.body.state });
      details.append(differs ?? comparison(null, change.body), field,
        make("p", {}, button("Undo this change", id, () => undo(change, area, fault))));
    });
    row.append(details);
    return row;
  });
  element("lately").replaceChildren(...cards);
}

element("all").addEventListener("change", (event) => {
  for (const box of document.querySelectorAll(".choose")) box.checked = event.target.checked;
  countChosen();
});
element("queue").addEventListener("change", countChosen);
element("many").addEventListener("submit", (event) => {
  event.preventDefault();
  const action = event.submitter?.value ?? "accept";
  const area = element("comment");
  if (action === "reject" && !hasComment(area, element("comment-error"), "reject")) return;
  decideMany(action, area.value.trim());
});

start(async () => {
  if (!may("curator")) return;
  const answer = await ask("GET", "/v1");
  if (answer.ok) review = answer.data.review;
  for (const place of document.querySelectorAll("[data-review]")) place.hidden = place.dataset.review !== review;
  load();
});
