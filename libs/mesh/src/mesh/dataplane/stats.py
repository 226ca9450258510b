"""What a data plane counts: what somebody reads, in buckets that a rollout can compare."""

from mesh.proto import Json

# Of a process's virtual clusters, the one that holds requests without those sent once more.
FIRST_ATTEMPTS = "first"
# Upper bounds of the buckets of latency, in milliseconds.
BOUNDS = (
    *(1, 2.5, 5, 7.5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750),
    *(1000, 1500, 2000, 3000, 5000, 7500, 10_000, 15_000, 30_000, 60_000),
)
# What nobody reads here, or what is told twice.
_UNREAD = (
    {"contains": "http3"},
    {"contains": ".lb_subsets_"},
    {"contains": ".lb_zone_"},
    {"contains": ".passthrough_internal_redirect_"},
    {"contains": ".tracing."},
    {"contains": ".external."},
    {"contains": ".internal."},
    {"contains": ".worker_"},
    {"suffix": "upstream_cx_connect_ms"},
    {"suffix": "cx_length_ms"},
    {"suffix": "upstream_rq_per_cx"},
    {"safe_regex": {"regex": r"vhost\..*\.upstream_rq_(retry.*|\d\d\d)"}},
)


def stats_config() -> Json:
    """The part of a bootstrap that says so.

    Histograms are brought up to date whenever somebody asks for them, and not otherwise.
    """
    return {
        "stats_flush_on_admin": True,
        "stats_config": {
            "stats_matcher": {"exclusion_list": {"patterns": list(_UNREAD)}},
            "histogram_bucket_settings": [
                {
                    "match": {"suffix": f".vcluster.{FIRST_ATTEMPTS}.upstream_rq_time"},
                    "buckets": list(BOUNDS),
                }
            ],
        },
    }
