// The three uses of the README, by the types of openapi-typescript.
import createClient from "openapi-fetch";
import type { components, paths } from "./claimbase";

declare const process: { argv: string[] };

type Claim = components["schemas"]["Claim"];
// Answers have other media types, too.
const client = createClient<paths, "application/json" | "application/problem+json">({
  baseUrl: process.argv[2],
});

const refuted = await client.GET("/v1/claims", {
  params: { query: { status: ["refuted"], topic: ["causation"], include: ["evidence"] } },
});
if (refuted.error) throw new Error(refuted.error.detail);
// Without `fields` each claim is whole.
for (const claim of refuted.data.data as Claim[]) {
  console.log(`${claim.statement} ${claim.status} since ${claim.status_since}`);
  for (const { direction, source, level, sample } of claim.evidence ?? []) {
    if (Number(level) <= 2) console.log(`  ${direction}: ${source}, level ${level}, ${sample}`);
  }
}

const best = await client.GET("/v1/evidence", {
  params: { query: { "level.lte": "2", sort: ["level", "-published"], count: "exact" } },
});
if (best.error) throw new Error(best.error.detail);
console.log(`${best.data.data[0]?.id} ${best.data.page.count}`);

const cited = await client.GET("/v1/sources/{source}", {
  params: {
    path: { source: "doi:10.1038/472410a" },
    query: { format: "bibliography", style: "vancouver" },
  },
  parseAs: "text",
});
if (cited.error) throw new Error(cited.error.detail);
console.log(String(cited.data).trim());
