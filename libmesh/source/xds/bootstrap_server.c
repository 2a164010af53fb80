/* SPDX-License-Identifier: Apache-2.0 */
/* Servers of the bootstrap: where they are, how they are spoken to, what they can do. */
#include <string.h>

#include "source/conf.h"
#include "source/xds/bootstrap_read.h"

enum { QUOTE = 96, REFRESH_MS = 600000, DIGITS_MAX = 9 };

/* ---- certificates ---- */

/* "600s", "0.5s". */
static bool parse_seconds(const char *text, uint64_t *ms)
{
    size_t whole = strspn(text, "0123456789"), part = 0;
    const char *rest = text + whole;
    uint64_t seconds = 0, thousandths = 0;

    if (whole == 0 || whole > DIGITS_MAX || !text_to_u64(text, whole, &seconds))
        return false;
    if (*rest == '.') {
        part = strspn(++rest, "0123456789");
        for (size_t i = 0; i < 3; i++)
            thousandths = thousandths * 10 + (i < part ? (uint64_t) (rest[i] - '0') : 0);
        rest += part;
    }
    *ms = seconds * 1000 + thousandths;
    return strcmp(rest, "s") == 0 && *ms > 0;
}

static int32_t read_refresh(struct walk *walk, const json_t *config, uint64_t *out)
{
    static const char name[] = "refresh_interval";
    json_t *interval;
    int32_t err = walk_member(walk, config, name, JSON_STRING, &interval);

    *out = REFRESH_MS;
    if (err || !interval || parse_seconds(json_string_value(interval), out))
        return err;
    walk_enter(walk, name);
    err = walk_wrong(walk, "allowed are seconds such as \"600s\"");
    walk_leave(walk);
    return err;
}

/* An absolute name of a file; NULL: none. */
static int32_t read_file(struct walk *walk, const json_t *config, const char *name, char **out)
{
    char *path;
    int32_t err = walk_text(walk, config, name, NULL, &path);

    if (err || !path)
        return err;
    *out = conf_absolute(NULL, path);
    mem_free(path);
    return *out ? 0 : walk_no_memory(walk);
}

int32_t bootstrap_read_files(struct walk *walk, const json_t *config, struct bootstrap_files *out)
{
    int32_t err = read_file(walk, config, "ca_certificate_file", &out->ca);

    if (!err)
        err = read_file(walk, config, "certificate_file", &out->cert);
    if (!err)
        err = read_file(walk, config, "private_key_file", &out->key);
    if (!err)
        err = read_refresh(walk, config, &out->refresh_ms);
    if (err)
        return err;
    if (!out->cert != !out->key)
        return walk_wrong(walk, "certificate_file and private_key_file stand together or not at all");
    if (json_object_get(config, "spiffe_trust_bundle_map_file"))
        return walk_wrong(walk, "spiffe_trust_bundle_map_file is not known; ca_certificate_file says whom to trust");
    return 0;
}

/* ---- credentials ---- */

static int32_t read_tls(struct walk *walk, const json_t *credentials, struct bootstrap_server *out)
{
    json_t *config;
    int32_t err = walk_member(walk, credentials, "config", JSON_OBJECT, &config);

    if (err)
        return err;
    walk_enter(walk, "config");
    err = bootstrap_read_files(walk, config, &out->tls);
    walk_leave(walk);
    return err;
}

/* *known: whether this is it; *protocol is set then. */
static int32_t read_credentials(struct walk *walk, const json_t *credentials, bool *known,
                                enum model_protocol *protocol, struct bootstrap_server *out)
{
    json_t *type;
    int32_t err;

    *known = false;
    if (!json_is_object(credentials))
        return walk_wrong(walk, "allowed is an object such as {\"type\": \"insecure\"}");
    err = walk_member(walk, credentials, "type", JSON_STRING, &type);
    if (err || !type)
        return err ? err : walk_wrong(walk, "type is missing, allowed are insecure and tls");
    *known = strcmp(json_string_value(type), "insecure") == 0 || strcmp(json_string_value(type), "tls") == 0;
    *protocol = strcmp(json_string_value(type), "tls") == 0 ? MODEL_H2 : MODEL_H2C;
    return *known && *protocol == MODEL_H2 ? read_tls(walk, credentials, out) : 0;
}

static int32_t none_known(struct walk *walk, const json_t *list)
{
    const char *type = json_string_value(json_object_get(json_array_get(list, 0), "type"));
    char shown[QUOTE];

    if (!type)
        return walk_wrong(walk, "it is empty, allowed are the types insecure and tls");
    if (strcmp(type, "google_default") == 0)
        return walk_wrong(walk, "google_default wants tokens of Google, which libmesh does not fetch; allowed are the "
                                "types insecure and tls");
    return walk_wrong(walk, "the type \"%s\" is not known, allowed are insecure and tls",
                      text_printable(type, strlen(type), shown, sizeof shown));
}

/* The first that is known holds. */
static int32_t read_channel_creds(struct walk *walk, const json_t *list, enum model_protocol *protocol,
                                  struct bootstrap_server *out)
{
    bool known = false;
    int32_t err = 0;
    size_t index;
    json_t *credentials;

    json_array_foreach(list, index, credentials)
    {
        walk_enter_index(walk, index);
        err = read_credentials(walk, credentials, &known, protocol, out);
        walk_leave(walk);
        if (err || known)
            return err;
    }
    return none_known(walk, list);
}

static int32_t read_protocol(struct walk *walk, const json_t *server, enum model_protocol *protocol,
                             struct bootstrap_server *out)
{
    static const char name[] = "channel_creds";
    json_t *list;
    int32_t err = walk_member(walk, server, name, JSON_ARRAY, &list);

    if (err)
        return err;
    if (!list)
        return walk_wrong(walk, "channel_creds is missing, a list such as [{\"type\": \"insecure\"}]");
    walk_enter(walk, name);
    err = read_channel_creds(walk, list, protocol, out);
    walk_leave(walk);
    return err;
}

/* ---- where it is ---- */

/* gRPC's targets; without a scheme it is a name for DNS, without a port 443. */
static int32_t parse_uri(struct walk *walk, const char *uri, enum model_protocol protocol, struct model_target *out)
{
    static const char allowed[] = "allowed are host:port, dns:///host:port, ipv4:, ipv6: and unix:";
    bool dns = text_starts_with(uri, "dns:") && !text_starts_with(uri, "dns://");
    struct fault why = { 0 };
    char shown[QUOTE];
    int32_t err = model_target_parse(dns ? uri + strlen("dns:") : uri, protocol, out, &why);

    if (err == MESH_ERR_NOMEM)
        return walk_no_memory(walk);
    text_printable(uri, strlen(uri), shown, sizeof shown);
    if (err || out->kind == TARGET_SRV || out->kind == TARGET_XDS ||
        (strstr(uri, "://") && !text_starts_with(uri, "dns:///") && !text_starts_with(uri, "unix:")))
        return walk_wrong(walk, "\"%s\" is no server; %s", shown, allowed);
    model_target_set_protocol(out, protocol);
    if (out->kind != TARGET_UNIX && !out->port_written) {
        out->port = model_protocol_port(MODEL_H2);
        out->addr.port = out->port;
    }
    return 0;
}

static int32_t read_uri(struct walk *walk, const json_t *server, enum model_protocol protocol,
                        struct bootstrap_server *out)
{
    static const char name[] = "server_uri";
    int32_t err = walk_text(walk, server, name, NULL, &out->uri);

    if (err)
        return err;
    if (!out->uri)
        return walk_wrong(walk, "server_uri is missing, a target such as \"istiod.istio-system.svc:15010\"");
    walk_enter(walk, name);
    err = parse_uri(walk, out->uri, protocol, &out->target);
    walk_leave(walk);
    return err;
}

/* ---- what it can do ---- */

static uint32_t feature_of(const char *name)
{
    static const struct {
        const char *name;
        enum bootstrap_feature feature;
    } features[] = {
        { "mesh.delta", BOOTSTRAP_DELTA },
        { "fail_on_data_errors", BOOTSTRAP_FAIL_ON_DATA_ERRORS },
        { "resource_timer_is_transient_error", BOOTSTRAP_TIMER_IS_TRANSIENT },
        { "trusted_xds_server", BOOTSTRAP_TRUSTED },
        { "ignore_resource_deletion", BOOTSTRAP_IGNORE_DELETION },
    };

    for (size_t i = 0; i < COUNT_OF(features); i++)
        if (name && strcmp(features[i].name, name) == 0)
            return features[i].feature;
    return 0;
}

static int32_t read_features(struct walk *walk, const json_t *server, uint32_t *out)
{
    json_t *list, *feature;
    int32_t err = walk_member(walk, server, "server_features", JSON_ARRAY, &list);
    size_t index;

    if (err)
        return err;
    json_array_foreach(list, index, feature) *out |= feature_of(json_string_value(feature));
    return 0;
}

static int32_t read_server(struct walk *walk, const json_t *server, struct bootstrap_server *out)
{
    enum model_protocol protocol = MODEL_H2C;
    int32_t err;

    if (!json_is_object(server))
        return walk_wrong(walk, "allowed is an object with server_uri and channel_creds");
    err = read_protocol(walk, server, &protocol, out);
    if (!err)
        err = read_uri(walk, server, protocol, out);
    return err ? err : read_features(walk, server, &out->features);
}

int32_t bootstrap_read_servers(struct walk *walk, const json_t *holder, struct bootstrap_servers *out)
{
    static const char name[] = "xds_servers";
    json_t *list, *server;
    size_t index;
    int32_t err = walk_member(walk, holder, name, JSON_ARRAY, &list);

    if (err || json_array_size(list) == 0)
        return err;
    out->items = mem_array(json_array_size(list), sizeof *out->items);
    if (!out->items)
        return walk_no_memory(walk);
    out->n = json_array_size(list);
    walk_enter(walk, name);
    json_array_foreach(list, index, server)
    {
        walk_enter_index(walk, index);
        err = err ? err : read_server(walk, server, &out->items[index]);
        walk_leave(walk);
    }
    walk_leave(walk);
    return err;
}
