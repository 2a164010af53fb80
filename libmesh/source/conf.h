/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the configuration share. Private to source/.
 *
 * Vocabulary: a *value* is the text of one key, for one service or for all ("" ), with its origin. The *document* is the
 * JSON file or text that the key `config` names; there is at most one.
 * Rules: a conf holds one value of a service and key, that of the highest origin. Reading gathers values in a list of its
 * own and hands it to conf_take(), which takes all or nothing. Values are checked and canonical when they are made:
 * files absolute, lists without spaces, switches "on" or "off". */
#ifndef SOURCE_CONF_H
#define SOURCE_CONF_H

#include "source/keys.h"
#include "source/service.h"
#include "source/source.h"

/* In order of precedence. */
enum origin { ORIGIN_DEFAULT, ORIGIN_DOCUMENT, ORIGIN_ENVIRONMENT, ORIGIN_SET };

/* ---- values: source/conf_values.c ---- */

struct value {
    const struct key *key;
    const char *service; /* "": the default of all services, or a global key */
    const char *text;
    const char *from; /* "set", "environment MESH_ZONE", "file /etc/mesh.json" */
    enum origin origin;
    char bytes[]; /* where the texts live */
};

struct values {
    struct value **items;
    size_t n, cap;
};

/* False: out of memory. Texts are copied. */
bool values_add(struct values *values, const struct key *key, const char *service, const char *text, enum origin origin,
                const char *from);
/* By service, then key. Needed by the functions below. */
void values_sort(struct values *values);
/* A value that stands twice; NULL: none. */
const struct value *values_twice(const struct values *values);
const struct value *values_find(const struct values *values, const char *service, const struct key *key);
/* Moves all of `from` to the end of `to`. False: out of memory, nothing moved. */
bool values_append(struct values *to, struct values *from);
/* Both into one list, of the same service and key the one of higher origin, of equal ones the newer. With `drop_document`
 * the old document's values go. `newer` is emptied; on failure (out of memory) nothing has changed. */
bool values_merge(struct values *old, struct values *newer, bool drop_document);
bool values_copy(const struct values *from, struct values *to);
void values_clear(struct values *values);

/* ---- the configuration: source/conf.c ---- */

struct cidr {
    const char *zone;
    uint8_t ip[16];
    uint8_t family, bits;
};

struct cidrs {
    struct cidr *items; /* narrowest first */
    size_t n;
    char *text; /* where the zones live */
};

/* The proxy variables as they were when `proxy` became "env". */
struct proxies {
    bool taken;
    char *https, *http, *all, *none; /* NULL: not set */
};

struct conf {
    struct values values; /* sorted, one of a kind */
    struct cidrs cidrs;
    struct proxies proxies;
    char **warnings;
    size_t n_warnings;
    char *service_name; /* OTEL_SERVICE_NAME; NULL: none */
    mesh_log_fn log;
    void *log_user;
};

/* Takes all values of the list, or none: MESH_ERR_NOMEM. The list is empty afterwards. */
int32_t conf_take(struct conf *conf, struct values *values, bool drop_document, struct fault *fault);
/* What holds for a service: its own value, else that of all services; NULL: the key's default. */
const struct value *conf_value(const struct conf *conf, const char *service, enum key_id id);
/* The same as text, default included. */
const char *conf_value_text(const struct conf *conf, const char *service, enum key_id id);
uint64_t conf_value_number(const struct conf *conf, const char *service, enum key_id id);
/* What `xds.bootstrap` leads to, read now; *out NULL: nothing, xDS is off. For bootstrap_free(). */
struct bootstrap;
int32_t conf_bootstrap(const struct conf *conf, struct bootstrap **out, struct fault *fault);
bool conf_value_on(const struct conf *conf, const char *service, enum key_id id);

/* ---- reading one value: source/conf_read.c ---- */

/* Where values come from, while they are read. */
struct reader {
    struct values *out;
    enum origin origin;
    const char *from;   /* of the values: "file /etc/mesh.json" */
    const char *folder; /* relative file names begin there; NULL: in the current directory */
    struct fault *fault;
};

/* Checks the text of a key and adds its value. The sentence of a failure begins with the key. */
int32_t reader_add(const struct reader *reader, const char *service, const struct key *key, const char *text);
/* "retry.attempts", or "services.users.retry.attempts". Returns out. */
enum { CONF_NAME_MAX = 256 };
const char *conf_full_name(const char *service, const struct key *key, char out[CONF_NAME_MAX]);
int32_t conf_no_memory(struct fault *fault);
/* An absolute path from mem_alloc(): `path` itself, or `path` in `folder`, or in the current directory. NULL: no memory. */
char *conf_absolute(const char *folder, const char *path);
/* 1 to 128 letters, digits, '.', '_', '-'; zones also '/'. */
bool conf_is_zone_name(const char *name, size_t len);
bool conf_is_service_name(const char *name, size_t len);

/* ---- reading many ---- */

/* conf_entries.c: "users=h2c://10.0.0.1:80@a,...; pay=https://...", or a JSON object. */
int32_t reader_add_services(const struct reader *reader, const char *text);
/* conf_document.c: a whole JSON document; and what may stand behind "services" in it. Sentences name the place, unless the
 * origin is ORIGIN_SET. */
int32_t reader_add_document(const struct reader *reader, const char *text);
int32_t reader_add_services_json(const struct reader *reader, const char *text);
/* conf_line.c: the line in a valid JSON text at which the member of that path stands; 0: it was not found. "[2]" is an
 * element of a list. */
unsigned conf_line(const char *text, const char *const *path, size_t depth);
/* conf_file.c: JSON itself, not the name of a file with it. */
bool conf_is_json(const char *text);
/* Brings `config`, a path or JSON itself, into `reader->out` at the reader's origin, and what it leads to at
 * ORIGIN_DOCUMENT. *taken false: a `config` of higher origin stands already, nothing was read. */
int32_t conf_read_document(const struct conf *conf, const struct reader *reader, const char *path_or_json, bool *taken);

/* ---- parts of values: conf_endpoints.c, conf_cidrs.c, conf_proxy.c ---- */

/* JSON or "10.0.0.1:80@a,10.0.0.2:80@b" as a READY set of source "static". `zones`: for addresses without one; may be NULL. */
int32_t endpoints_parse(const char *text, enum model_protocol protocol, const struct cidrs *zones,
                        struct model_endpoints **out, struct fault *fault);
bool endpoints_is_json(const char *text);

/* "a=10.0.0.0/20,b=fd00::/8". */
int32_t cidrs_parse(const char *text, struct cidrs *out, struct fault *fault);
void cidrs_free(struct cidrs *cidrs);
const char *cidrs_zone_of(const struct cidrs *cidrs, const struct addr *addr);
/* "10.0.0.0/20" or an address. */
bool cidr_parse(const char *text, size_t len, struct cidr *out);
bool cidr_holds(const struct cidr *cidr, const struct addr *addr);

bool proxy_is_valid(const char *text);
/* False: out of memory. */
bool proxies_take(struct proxies *proxies);
bool proxies_copy(const struct proxies *from, struct proxies *to);
void proxies_clear(struct proxies *proxies);
/* The proxy on the way to a target by the variables; NULL: none. From mem_alloc(); false: out of memory. */
bool proxies_of(const struct proxies *proxies, const struct model_target *target, char **out);

/* ---- services: conf_service.c, conf_policy.c ---- */

/* One service on its way from values to struct service. */
struct building {
    const struct conf *conf;
    const char *name;          /* of the cluster */
    const char *service;       /* whose values hold; "": those of all, the name is in no configuration */
    const struct value *place; /* its endpoints, target or zones; NULL: the name is the target */
    struct service *out;       /* place and protocol are filled in when the rest is built */
    struct fault *fault;
};

/* conf_numbers.c. What of the policy is no text. */
void building_fill_numbers(const struct building *b, struct policy *policy);
/* Policy, TLS, authority and proxy into out->cluster. `first` is the (first) target, NULL: a list of endpoints. */
int32_t building_add_policy(const struct building *b, const struct model_target *first);
/* What a control plane's cluster has before its resource is read: policy and authority, neither TLS nor proxy. `service`: whose
 * values hold; NULL: those of all. */
int32_t conf_cluster_base(const struct conf *conf, const char *service, struct model_cluster *cluster,
                          struct fault *fault);

#endif
