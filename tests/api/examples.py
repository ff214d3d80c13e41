"""The requests whose responses are the examples of the OpenAPI document.

The responses are files in `api/examples`, which `make examples` writes from the seed content; tests
compare them with what the API answers.
"""

# The request of each example.
EXAMPLES = {
    "index": "/v1",
    "get_notice": "/v1/notice",
    "list_claims": "/v1/claims?status=refuted&fields=id,statement,status,certainty,status_since",
    "count_claims": "/v1/claims/facets?by=status,kind",
    "count_evidence": "/v1/evidence/facets?level.lte=2&by=direction,study_design",
    "get_claim": "/v1/claims/ccsvi-not-confirmed",
    "list_claim_evidence": "/v1/claims/ccsvi-causes-ms/evidence?level=1",
    "walk_relations": "/v1/claims/venous-reflux-in-ms/relations?depth=1",
    "get_impact": "/v1/claims/iron-and-autoimmunity-cause-ms-lesions/impact?assume=refuted",
    "get_timeline": "/v1/claims/iron-from-slow-venous-flow/timeline",
    "explain_status": "/v1/claims/iron-from-slow-venous-flow/explanation?as_of=2010",
    "compare_days": "/v1/claims/iron-from-slow-venous-flow/diff?from=2009&to=2010",
    "status_history": "/v1/statuses/history?topic=treatment",
    "list_claim_revisions": "/v1/claims/ccsvi-causes-ms/revisions?limit=2",
    "get_revision": "/v1/revisions/1",
    "list_changes": "/v1/changes?claim=ccsvi-causes-ms&limit=2",
    "list_evidence": "/v1/evidence?level=1&direction=disputes",
    "get_evidence": "/v1/evidence/ccsvi-causes-ms:cochrane-2019",
    "get_claim_matrix": "/v1/claims/iron-from-slow-venous-flow/matrix",
    "list_matrix": "/v1/matrix?topic=iron&limit=2",
    "list_claim_sources": "/v1/claims/ccsvi-not-confirmed/sources",
    "list_sources_of_claims": "/v1/claims/sources?topic=iron&limit=1",
    "list_sources": "/v1/sources?author=sundstrom",
    "get_source": "/v1/sources/doi:10.1002/ana.22085",
    "parse_sources": "/v1/sources:parse",
    "lookup_sources": "/v1/sources:lookup",
    "lookup_claims": "/v1/claims:lookup",
    "lookup_evidence": "/v1/evidence:lookup",
    "match_claims": "/v1/claims:match",
    "list_source_claims": "/v1/sources/cochrane-2019/claims?fields=id,status",
    "suggest": "/v1/suggest?q=mult",
    "list_topics": "/v1/topics?limit=2",
    "get_topic": "/v1/topics/iron",
    "get_occurrence": "/v1/occurrences/blood-leakage-from-slow-venous-flow:c16",
    "get_relation": "/v1/relations/venous-reflux-in-ms:leads_to:iron-from-slow-venous-flow",
    "get_record": "/v1/records/evidence/ccsvi-causes-ms:cochrane-2019",
    "get_data_package": "/v1/datapackage.json",
    "list_citation_styles": "/v1/citation-styles?q=nature+med",
    "list_vocabularies": "/v1/vocabularies",
    "get_vocabulary": "/v1/vocabularies/directions",
    "healthz": "/healthz",
    "readyz": "/readyz",
}
# Requests with the key of an admin: method and path, in which `{key}` and `{webhook}` are ids.
KEY_EXAMPLES = {
    "get_own_key": ("GET", "/v1/key"),
    "list_keys": ("GET", "/v1/keys"),
    "get_key": ("GET", "/v1/keys/{key}"),
    "create_key": ("POST", "/v1/keys"),
    "declare_interests": ("PATCH", "/v1/key"),
    "revoke_key": ("DELETE", "/v1/keys/{key}"),
    "list_reviews": ("GET", "/v1/reviews"),
    "list_webhooks": ("GET", "/v1/webhooks"),
    "get_webhook": ("GET", "/v1/webhooks/{webhook}"),
    "create_webhook": ("POST", "/v1/webhooks"),
    "change_webhook": ("PATCH", "/v1/webhooks/{webhook}"),
    "delete_webhook": ("DELETE", "/v1/webhooks/{webhook}"),
    "test_webhook": ("POST", "/v1/webhooks/{webhook}:test"),
}
# Requests that need a proposal, which `test_curating` makes.
CURATING_EXAMPLES = {
    "list_collections": ("GET", "/v1/collections"),
    "get_collection": ("GET", "/v1/collections/civic"),
    "get_assessment": ("GET", "/v1/assessments/ccsvi-causes-ms:example"),
    "preview_evidence": ("POST", "/v1/evidence/ccsvi-causes-ms:example:preview"),
    "decide_reviews": ("POST", "/v1/reviews:decide"),
    "preview_new_evidence": ("POST", "/v1/claims/ccsvi-causes-ms/evidence:preview"),
    "import_sources": ("POST", "/v1/sources:import"),
    "list_suggestions": ("GET", "/v1/suggestions"),
    "get_suggestion": ("GET", "/v1/suggestions/read-again"),
    "preview_suggestion": ("POST", "/v1/suggestions/read-again:preview"),
    "list_comments": ("GET", "/v1/comments"),
}
# The body of a request that has one.
BODIES = {
    "import_sources": "@article{a, title = {No congestion}, author = {Doe, Jane}, year = 2025}\n",
    "preview_new_evidence": '{"key": "doe-2026", "source": "doepp-2010", "direction": "disputes",'
    ' "level": "4", "question": "diagnosis", "directness": "indirect",'
    ' "study_design": "case_control", "finding": "No difference.", "independence_group": "doe"}',
    "decide_reviews": '{"mode": "each", "comment": "Checked.", "decisions": [{"kind": "evidence",'
    ' "record": "ccsvi-causes-ms:example", "action": "accept", "revision": 479}]}',
    "create_key": '{"name": "Anna Example", "role": "curator", "expires": "2099-01-01",'
    ' "orcid": "0000-0002-1825-0097"}',
    # A name that nobody has.
    "create_webhook": '{"url": "https://tools.example/changes"}',
    "change_webhook": '{"since": 0}',
    "declare_interests": '{"conflict_of_interest": "Employed by Example Hospital."}',
    "match_claims": '{"text": "CCSVI does not cause MS. The weather is fine."}',
    "lookup_sources": '{"identifiers": ["https://doi.org/10.1002/ana.22085", "PMC1", "?"]}',
    "lookup_claims": '{"ids": ["ccsvi-full-name", "no-such-claim"]}',
    "lookup_evidence": '{"ids": ["ccsvi-causes-ms:cochrane-2019", "ccsvi-causes-ms:nobody-1900"]}',
    "parse_sources": "@article{a, title = {No congestion}, author = {Doepp, F}, year = 2010,"
    " doi = {10.1002/ana.22085}}\n"
    "@article{b, year = 2011}\n",
}
