# SPDX-License-Identifier: Apache-2.0
"""What the control plane serves in each scenario. All services have a cluster whose endpoint is real; the others are addresses
of this machine where nobody listens, and which nobody calls."""

from xds import resources

FAKE = {"base": "127.1.0.0", "port": 9}
PER_CLUSTER = 10


def cluster(name):
    return resources.cluster(name, **resources.http2())


def exact(path, name):
    return resources.route(name, match={"path": path})


def service(name, *extra):
    """Listener, routes and the clusters of these; a route each, from /bench/NAME."""
    entries = [exact(f"/bench/{one}", one) for one in extra]
    return [resources.listener(name), resources.routes(name, *entries), *map(cluster, extra)]


class World:
    """old and new are the ports of two backends: who answers tells whether a change has been taken up."""

    def __init__(self, probe, old, new):
        self.probe, self.old, self.new = probe, old, new

    def real(self, name, is_new=False, port=None):
        return resources.endpoints(name, [port or (self.new if is_new else self.old)])

    def small(self):
        """The service that is called all the time, and one with a single cluster."""
        return [*service("probe", "probe"), self.real("probe", port=self.probe), *service("big", "first"), self.real("first")]

    def beside(self, *names):
        """As small(), and these clusters."""
        probe = [*service("probe", "probe"), self.real("probe", port=self.probe)]
        return [*probe, *service("big", "first", *names), self.real("first")]

    def many(self, n, changed=0):
        """n clusters of ten endpoints; the last one's are real, too. Of `changed` clusters all endpoints are others."""
        names = [f"c{i}" for i in range(n - 1)] + ["last"]
        served = self.beside(*names)
        for i, name in enumerate(names):
            is_new = i >= n - changed
            first = (n + i if is_new else i) * PER_CLUSTER
            real = {"before": [self.new if is_new else self.old]} if name == "last" else {}
            served.append(resources.many_endpoints(name, (first, first + PER_CLUSTER), **FAKE, **real))
        return served

    def wide(self, n_clusters, n_endpoints, changed=0):
        """n clusters with very many endpoints: "w0" has a real one that is preferred, as has "last". Of each as many others
        as `changed` says."""
        names = [f"w{i}" for i in range(n_clusters)]
        served = [*self.beside(*names, "last"), self.real("last", changed > 0)]
        for i, name in enumerate(names):
            first = i * n_endpoints + changed
            real = {"before": [self.new if changed else self.old]} if i == 0 else {}
            served.append(resources.many_endpoints(name, (first, first + n_endpoints), **FAKE, **real))
        return served
