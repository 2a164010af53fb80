/* SPDX-License-Identifier: Apache-2.0 */
/* A Cluster of any bytes, with and without a configured service of its name. */
#include "grow.h"

#include "source/conf.h"
#include "source/xds/cluster.h"

static const char bootstrap_text[] =
    "{ \"xds_servers\": [ { \"server_uri\": \"127.0.0.1:1\", \"channel_creds\": [ { \"type\": \"insecure\" } ] } ],"
    "  \"certificate_providers\": { \"default\": { \"plugin_name\": \"file_watcher\", \"config\": {"
    "    \"certificate_file\": \"/none/cert.pem\", \"private_key_file\": \"/none/key.pem\","
    "    \"ca_certificate_file\": \"/none/root.pem\" } } } }";

static struct conf *conf;
static struct bootstrap *bootstrap;

static void prepare(void)
{
    struct fault fault = { 0 };

    if (conf)
        return;
    conf = conf_new();
    FUZZ_CHECK(conf && conf_set(conf, "services.users.target", "http://127.0.0.1:1", &fault) == 0);
    FUZZ_CHECK(conf_set(conf, "services.users.balance.policy", "maglev", &fault) == 0);
    FUZZ_CHECK(bootstrap_parse(bootstrap_text, "here", &bootstrap, &fault) == 0);
}

/* It is what its header says. */
static void check_cluster(const struct xds_cluster *cluster)
{
    FUZZ_CHECK(cluster->name[0] && cluster->conf);
    FUZZ_CHECK(strncmp(cluster->conf->name, XDS_CLUSTER_PREFIX, strlen(XDS_CLUSTER_PREFIX)) == 0);
    FUZZ_CHECK(strcmp(cluster->conf->name + strlen(XDS_CLUSTER_PREFIX), cluster->name) == 0);
    FUZZ_CHECK((cluster->kind == XDS_CLUSTER_EDS) == (cluster->eds_name != NULL && cluster->eds_name[0]));
    FUZZ_CHECK((cluster->kind == XDS_CLUSTER_STATIC) == (cluster->endpoints != NULL));
    FUZZ_CHECK((cluster->kind == XDS_CLUSTER_DNS) == (cluster->n_targets > 0));
    FUZZ_CHECK((cluster->kind == XDS_CLUSTER_AGGREGATE) == (cluster->n_members > 0));
}

static int32_t read_cluster(const struct buf *bytes, const char *service, struct xds_cluster **out)
{
    struct xds_cluster_env env = { .conf = conf, .service = service, .bootstrap = bootstrap };
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    int32_t err = xds_cluster_read(buf_bytes(bytes), buf_len(bytes), &env, out, &ignored, &fault);

    FUZZ_CHECK((err == 0) == (*out != NULL) && (err == 0 || fault.text[0]));
    FUZZ_CHECK(err != MESH_ERR_NOMEM);
    ignored_clear(&ignored);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const services[] = { NULL, "users" };
    struct buf bytes = grow_or_take(data, size, &cluster__cluster__descriptor);
    struct xds_cluster *first, *again;

    prepare();
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        int32_t err = read_cluster(&bytes, services[i], &first);

        FUZZ_CHECK(read_cluster(&bytes, services[i], &again) == err);
        if (first) {
            check_cluster(first);
            FUZZ_CHECK(first->conf->identity == again->conf->identity);
        }
        xds_cluster_unref(first);
        xds_cluster_unref(again);
    }
    buf_free(&bytes);
    return 0;
}
