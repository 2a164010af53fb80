"""Resources of xDS in few lines: protobuf's JSON, which a Plane serves."""

import itertools

TYPE = "type.googleapis.com/"
LISTENER = TYPE + "envoy.config.listener.v3.Listener"
ROUTES = TYPE + "envoy.config.route.v3.RouteConfiguration"
CLUSTER = TYPE + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment"
MANAGER = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = TYPE + "envoy.extensions.filters.http.router.v3.Router"
FAULT = TYPE + "envoy.extensions.filters.http.fault.v3.HTTPFault"
AGGREGATE = TYPE + "envoy.extensions.clusters.aggregate.v3.ClusterConfig"
POLICIES = TYPE + "envoy.extensions.load_balancing_policies."

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
EXPLICIT_HTTP2 = {"explicit_http_config": {"http2_protocol_options": {}}}

ADS = {"ads": {}, "resource_api_version": "V3"}


def router():
    return {"name": "router", "typed_config": {"@type": ROUTER}}


def fault(**what):
    """The filter that injects faults: abort and delay as in HTTPFault."""
    return {"name": "fault", "typed_config": {"@type": FAULT, **what}}


def listener(name, routes=None, filters=(), inline=None, **manager):
    """An API listener whose routes are a RouteConfiguration, by its name or inline."""
    where = {"route_config": inline} if inline else {"rds": {"config_source": ADS, "route_config_name": routes or name}}
    content = {"@type": MANAGER, "stat_prefix": name, **where, "http_filters": [*filters, router()], **manager}
    return {"@type": LISTENER, "name": name, "api_listener": {"api_listener": content}}


def routes(name, *entries, domains=("*",), **more):
    """A RouteConfiguration with one virtual host."""
    host = {"name": name, "domains": list(domains), "routes": list(entries), "include_request_attempt_count": True}
    return {"@type": ROUTES, "name": name, "virtual_hosts": [host], **more}


def route(to, match=None, **more):
    """A route to a cluster, or to several by weight; more are fields of RouteAction."""
    if isinstance(to, str):
        action = {"cluster": to}
    else:
        action = {"weighted_clusters": {"clusters": [{"name": name, "weight": weight} for name, weight in to.items()]}}
    return {"match": match or {"prefix": "/"}, "route": {**action, **more}}


def header(name, **match):
    """A header matcher as of HeaderMatcher; exact=, prefix= and so on are of its string_match."""
    texts = {key: match.pop(key) for key in ("exact", "prefix", "suffix", "contains", "safe_regex") if key in match}
    return {"name": name, **({"string_match": texts} if texts else {}), **match}


def cluster(name, service=None, **more):
    """A cluster whose endpoints come by EDS."""
    discovery = {"eds_config": ADS, **({"service_name": service} if service else {})}
    return {
        "@type": CLUSTER, "name": name, "type": "EDS", "eds_cluster_config": discovery, "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "5s", **more,
    }  # fmt: skip


def http2():
    """Fields of a cluster whose endpoints speak HTTP/2."""
    return {"typed_extension_protocol_options": {HTTP_OPTIONS: {"@type": TYPE + HTTP_OPTIONS, **EXPLICIT_HTTP2}}}


def aggregate(name, *clusters, lb_policy="CLUSTER_PROVIDED"):
    kind = {"name": "envoy.clusters.aggregate", "typed_config": {"@type": AGGREGATE, "clusters": list(clusters)}}
    return {"@type": CLUSTER, "name": name, "cluster_type": kind, "lb_policy": lb_policy, "connect_timeout": "5s"}


def policies(*which):
    """The field load_balancing_policy: the first that a client knows. Each a name ("round_robin"), or a type URL and its value."""

    def config(one):
        if not isinstance(one, str):
            return {"@type": TYPE + "xds.type.v3.TypedStruct", "type_url": one[0], "value": one[1]}
        camel = "".join(part.capitalize() for part in one.split("_"))
        return {"@type": f"{POLICIES}{one}.v3.{camel}"}

    entries = [{"typed_extension_config": {"name": f"p{i}", "typed_config": config(one)}} for i, one in enumerate(which)]
    return {"policies": entries}


def endpoint(port, health=None, weight=None, host="127.0.0.1", **more):
    socket_address = {"address": host, "port_value": port}
    return {
        "endpoint": {"address": {"socket_address": socket_address}},
        **({"health_status": health} if health else {}),
        **({"load_balancing_weight": weight} if weight else {}),
        **more,
    }


def locality(members, name="l0", weight=1, priority=0, region="r"):
    """Members are ports, or made by endpoint()."""
    ends = [endpoint(one) if isinstance(one, int) else one for one in members]
    where = {"region": region, "zone": name, "sub_zone": ""}
    return {"locality": where, "lb_endpoints": ends, "load_balancing_weight": weight, "priority": priority}


def endpoints(name, *localities, **policy):
    """What EDS says of a cluster; localities as of locality(), or lists of members of one."""
    numbers = itertools.count()
    made = [one if isinstance(one, dict) else locality(one, f"l{next(numbers)}") for one in localities]
    return {"@type": ENDPOINTS, "cluster_name": name, "endpoints": made, **({"policy": policy} if policy else {})}


def many_endpoints(name, *ranges, port=80, base="10.0.0.0", before=()):
    """What EDS says of a cluster of very many endpoints: addresses from base + first to base + last - 1 of each range, after
    those of 127.0.0.1 at the ports in `before`, which have a higher priority."""
    spans = [list(one) for one in ranges]
    return {"@many": name, "@type": ENDPOINTS, "base": base, "port": port, "ranges": spans, "before": list(before)}


def service(name, members, **of_cluster):
    """All that leads a client to one cluster: listener, routes, cluster and endpoints of the same name."""
    return [listener(name), routes(name, route(name)), cluster(name, **of_cluster), endpoints(name, members)]
