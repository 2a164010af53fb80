/* SPDX-License-Identifier: Apache-2.0 */
/* The scan of protobuf's wire format against a descriptor, with a stack of its own. */
#include "source/xds/wire.h"

#include <stdio.h>
#include <string.h>

/* Bytes of the longest number, of a field's head, of a length. */
enum { VARINT_MAX = 10, TAG_MAX = 5, LENGTH_MAX = 5 };
/* Field numbers of a path that are shown; the innermost ones are the same again and again. */
enum { PATH_SHOWN = 16, PATH_TEXT = 192 };
/* What protobuf-c keeps of each field while it reads the level. */
enum { SCANNED_MEMBER = 40 };

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5
};

const struct wire_limits wire_limits_standard = {
    .bytes = (size_t) 256 << 20,
    .fields = (size_t) 32 << 20,
    .memory = (size_t) 1 << 30,
    .depth = WIRE_DEPTH_MAX,
};

/* A message that is being scanned. */
struct frame {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *end;
    uint64_t seen;   /* fields by index: messages that stood here already */
    size_t fields;   /* so far */
    uint32_t number; /* of the field that is looked at; 0: its head is being read */
};

struct scan {
    const struct wire_limits *limits;
    struct fault *fault;
    const uint8_t *at;
    struct wire_cost cost;
    size_t kept, passing; /* memory of the message, and of its reading */
    uint32_t depth;
    struct frame frames[WIRE_DEPTH_MAX];
};

/* ---- sentences ---- */

/* "33.2.1", the numbers of the fields from the outermost message to the one that is looked at. */
static const char *path(const struct scan *scan, char out[PATH_TEXT])
{
    size_t used = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < scan->depth && scan->frames[i].number > 0; i++) {
        const char *dot = i > 0 ? "." : "";

        if (i == PATH_SHOWN) {
            snprintf(out + used, PATH_TEXT - used, "%s", "...");
            break;
        }
        used += (size_t) snprintf(out + used, PATH_TEXT - used, "%s%u", dot, scan->frames[i].number);
    }
    return out;
}

static int32_t refuse(const struct scan *scan, int32_t err, const char *why)
{
    const char *outer = scan->frames[0].type->name;
    char numbers[PATH_TEXT];

    if (path(scan, numbers)[0] == '\0')
        return fault_set(scan->fault, err, "%s: %s", outer, why);
    return fault_set(scan->fault, err, "%s, field %s: %s", outer, numbers, why);
}

static int32_t malformed(const struct scan *scan, const char *why)
{
    return refuse(scan, MESH_ERR_PROTOCOL, why);
}

static int32_t beyond(const struct scan *scan, const char *what, size_t limit)
{
    char why[96];

    snprintf(why, sizeof why, "more than %zu %s", limit, what);
    return refuse(scan, MESH_ERR_TOO_LARGE, why);
}

/* ---- what it costs ---- */

/* What an allocator gives for so many bytes. */
static size_t block(size_t size)
{
    return size <= 24 ? 32 : (size + 8 + 15) & ~(size_t) 15;
}

static int32_t keep(struct scan *scan, size_t size)
{
    scan->kept += size;
    if (scan->kept + scan->passing > scan->cost.memory)
        scan->cost.memory = scan->kept + scan->passing;
    return scan->cost.memory > scan->limits->memory ? beyond(scan, "bytes of memory", scan->limits->memory) : 0;
}

static int32_t count(struct scan *scan, size_t fields)
{
    if (fields > scan->limits->fields - scan->cost.fields)
        return beyond(scan, "fields", scan->limits->fields);
    scan->cost.fields += fields;
    return 0;
}

static struct frame *top(struct scan *scan)
{
    return &scan->frames[scan->depth - 1];
}

static int32_t push(struct scan *scan, const ProtobufCMessageDescriptor *type, const uint8_t *end)
{
    if (scan->depth >= scan->limits->depth || scan->depth == WIRE_DEPTH_MAX)
        return beyond(scan, "messages inside each other", scan->depth);
    scan->frames[scan->depth++] = (struct frame){ .type = type, .end = end };
    if (scan->depth > scan->cost.depth)
        scan->cost.depth = scan->depth;
    return keep(scan, block(type->sizeof_message));
}

/* Messages end where the next one begins, or all at once. */
static void pop_finished(struct scan *scan)
{
    while (scan->depth > 0 && scan->at == top(scan)->end) {
        scan->passing -= top(scan)->fields * SCANNED_MEMBER;
        scan->depth--;
        if (scan->depth > 0)
            top(scan)->number = 0;
    }
}

/* ---- numbers ---- */

/* A number of at most `longest` bytes that ends before `end`. */
static int32_t read_varint(struct scan *scan, const uint8_t *end, size_t longest, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < longest; i++) {
        uint8_t byte;

        if (scan->at == end)
            return malformed(scan, "it ends in the middle of a number");
        byte = *scan->at++;
        value |= (uint64_t) (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return 0;
        }
    }
    return malformed(scan, "a number has too many bytes");
}

static int32_t skip(struct scan *scan, size_t size)
{
    if ((size_t) (top(scan)->end - scan->at) < size)
        return malformed(scan, "it ends in the middle of a value");
    scan->at += size;
    return 0;
}

/* Field number and wire type. */
static int32_t read_head(struct scan *scan, enum wire_type *wire)
{
    uint64_t head = 0;
    int32_t err = read_varint(scan, top(scan)->end, TAG_MAX, &head);

    if (err)
        return err;
    if (head > UINT32_MAX)
        return malformed(scan, "a field number above 536870911");
    if (head < 8)
        return malformed(scan, "a field with the number 0");
    top(scan)->number = (uint32_t) head >> 3;
    *wire = (enum wire_type)(head & 7);
    return 0;
}

/* The length of what follows, all of which is there. */
static int32_t read_length(struct scan *scan, size_t *out)
{
    uint64_t len = 0;
    int32_t err = read_varint(scan, top(scan)->end, LENGTH_MAX, &len);

    if (err)
        return err;
    if (len > (size_t) (top(scan)->end - scan->at))
        return malformed(scan, "it is longer than what holds it");
    *out = (size_t) len;
    return 0;
}

/* ---- values ---- */

static enum wire_type wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static int32_t skip_plain(struct scan *scan, enum wire_type wire)
{
    uint64_t ignored;

    if (wire == WIRE_VARINT)
        return read_varint(scan, top(scan)->end, VARINT_MAX, &ignored);
    return skip(scan, wire == WIRE_FIXED64 ? 8 : 4);
}

/* Kept byte by byte by protobuf-c, read by nobody but who wants to know what is not honoured. */
static int32_t skip_unknown(struct scan *scan, enum wire_type wire)
{
    const uint8_t *begin = scan->at;
    size_t len = 0;
    int32_t err;

    if (wire != WIRE_BYTES) {
        err = skip_plain(scan, wire);
    } else {
        err = read_length(scan, &len);
        scan->at += err ? 0 : len;
    }
    return err ? err : keep(scan, sizeof(ProtobufCMessageUnknownField) + block((size_t) (scan->at - begin)));
}

/* Many plain values in one field. */
static int32_t skip_packed(struct scan *scan, enum wire_type wire, size_t len)
{
    const uint8_t *end = scan->at + len;
    size_t size = wire == WIRE_FIXED64 ? 8 : 4, elements = 0;
    uint64_t ignored;
    int32_t err = 0;

    if (wire == WIRE_VARINT) {
        for (; scan->at < end && !err; elements++)
            err = read_varint(scan, end, VARINT_MAX, &ignored);
    } else if (len % size == 0) {
        elements = len / size;
        scan->at = end;
    } else {
        err = malformed(scan, "it ends in the middle of a value");
    }
    if (!err)
        err = count(scan, elements);
    return err ? err : keep(scan, block(elements * sizeof(uint64_t)));
}

static int32_t check_text(struct scan *scan, size_t len)
{
    const char *text = (const char *) scan->at;

    scan->at += len;
    if (memchr(text, '\0', len))
        return malformed(scan, "a text has a NUL byte");
    if (!text_is_utf8(text, len))
        return malformed(scan, "a text is not UTF-8");
    return keep(scan, block(len + 1));
}

static int32_t enter(struct scan *scan, const ProtobufCFieldDescriptor *field, size_t len)
{
    struct frame *frame = top(scan);
    uint64_t bit = UINT64_C(1) << (field - frame->type->fields);

    if (field->label != PROTOBUF_C_LABEL_REPEATED && (frame->seen & bit))
        return malformed(scan, "it stands twice in its message");
    frame->seen |= bit;
    return push(scan, field->descriptor, scan->at + len);
}

static int32_t read_bytes(struct scan *scan, const ProtobufCFieldDescriptor *field)
{
    size_t len = 0;
    int32_t err = read_length(scan, &len);

    if (err)
        return err;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return enter(scan, field, len);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return check_text(scan, len);
    if (field->type != PROTOBUF_C_TYPE_BYTES)
        return skip_packed(scan, wire_of(field->type), len);
    scan->at += len;
    return keep(scan, block(len));
}

static int32_t read_known(struct scan *scan, const ProtobufCFieldDescriptor *field, enum wire_type wire)
{
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    int32_t err = repeated ? keep(scan, sizeof(uint64_t)) : 0;

    if (err)
        return err;
    if (wire == WIRE_BYTES && (repeated || wire_of(field->type) == WIRE_BYTES))
        return read_bytes(scan, field);
    if (wire != wire_of(field->type))
        return malformed(scan, "it is of another type than it should be");
    return skip_plain(scan, wire);
}

static int32_t read_field(struct scan *scan)
{
    const ProtobufCFieldDescriptor *field;
    enum wire_type wire = WIRE_VARINT;
    int32_t err = read_head(scan, &wire);

    if (!err)
        err = count(scan, 1);
    if (err)
        return err;
    if (wire == WIRE_GROUP || wire == WIRE_GROUP_END)
        return malformed(scan, "a group, which this protocol does not have");
    if (wire > WIRE_FIXED32)
        return malformed(scan, "a wire type that does not exist");
    top(scan)->fields++;
    scan->passing += SCANNED_MEMBER;
    field = protobuf_c_message_descriptor_get_field(top(scan)->type, top(scan)->number);
    return field ? read_known(scan, field, wire) : skip_unknown(scan, wire);
}

/* ---- doors ---- */

static int32_t scan_all(struct scan *scan, const ProtobufCMessageDescriptor *type, size_t len)
{
    int32_t err;

    scan->frames[0].type = type; /* for sentences */
    if (len > scan->limits->bytes)
        return beyond(scan, "bytes", scan->limits->bytes);
    err = push(scan, type, scan->at + len);
    for (pop_finished(scan); !err && scan->depth > 0; pop_finished(scan)) {
        uint32_t level = scan->depth;

        err = read_field(scan);
        if (!err && scan->depth == level)
            top(scan)->number = 0;
        if (err)
            break;
    }
    return err;
}

int32_t wire_scan(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                  const struct wire_limits *limits, struct wire_cost *cost, struct fault *fault)
{
    static const uint8_t nothing;
    struct scan scan = { .limits = limits, .fault = fault, .at = bytes ? bytes : &nothing };
    int32_t err = scan_all(&scan, type, len);

    if (cost)
        *cost = scan.cost;
    return err;
}

static void *allocate(void *failed, size_t size)
{
    void *block_of_it = mem_alloc(size ? size : 1);

    if (!block_of_it)
        *(bool *) failed = true;
    return block_of_it;
}

static void release(void *failed, void *block_of_it)
{
    (void) failed;
    mem_free(block_of_it);
}

int32_t wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                    const struct wire_limits *limits, ProtobufCMessage **out, struct fault *fault)
{
    bool failed = false;
    ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = &failed };
    int32_t err = wire_scan(type, bytes, len, limits, NULL, fault);

    *out = err ? NULL : protobuf_c_message_unpack(type, &allocator, len, bytes);
    if (err || *out)
        return err;
    if (failed)
        return fault_set(fault, MESH_ERR_NOMEM, "%s: out of memory", type->name);
    return fault_set(fault, MESH_ERR_PROTOCOL, "%s: it cannot be read", type->name);
}

void wire_free(ProtobufCMessage *message)
{
    bool failed;
    ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = &failed };

    if (message)
        protobuf_c_message_free_unpacked(message, &allocator);
}
