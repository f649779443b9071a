/* The measure for the Swift client: the same calls by plain libdbus, in one thread, with its own loop.
 *
 *     client sync N           one call at a time
 *     client pipe N WINDOW    as many in flight as WINDOW says
 *
 * Prints: calls/s, median and 99th percentile of the time for an answer in us, CPU us a call. */
#include "notify.h"

#include <dbus/dbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define WARM_UP 500

static DBusConnection *bus;
static double *times;
static int answered, in_flight;
static dbus_uint32_t id;

static void fail(const char *what) {
    fprintf(stderr, "client: %s\n", what);
    exit(1);
}

static double microseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static double cpu_microseconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void append_hint(DBusMessageIter *hints, const char *key, int type, const char *signature, const void *value) {
    DBusMessageIter entry, variant;
    dbus_message_iter_open_container(hints, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
    dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
    dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
    dbus_message_iter_append_basic(&variant, type, value);
    dbus_message_iter_close_container(&entry, &variant);
    dbus_message_iter_close_container(hints, &entry);
}

/* Keep equal to the call in DBus/Call.swift. */
static DBusMessage *make_call(int number) {
    const char *application = "belfry", *icon = "", *summary = "Encoding video.mp4";
    const char *body = "Frame 1203 of 2400, about two minutes to go; 48 MiB written";
    const char *actions[] = {"open", "Open result", "cancel", "Cancel"};
    const char *category = "transfer";
    unsigned char urgency = 0;
    dbus_int32_t value = number % 101, expiry = -1;
    DBusMessage *call = dbus_message_new_method_call(NOTIFY_NAME, NOTIFY_PATH, NOTIFY_NAME, "Notify");
    DBusMessageIter arguments, inner;
    dbus_message_iter_init_append(call, &arguments);
    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &application);
    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &id);
    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &icon);
    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &summary);
    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &body);
    dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "s", &inner);
    for (int i = 0; i < 4; i++) dbus_message_iter_append_basic(&inner, DBUS_TYPE_STRING, &actions[i]);
    dbus_message_iter_close_container(&arguments, &inner);
    dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &inner);
    append_hint(&inner, "urgency", DBUS_TYPE_BYTE, "y", &urgency);
    append_hint(&inner, "value", DBUS_TYPE_INT32, "i", &value);
    append_hint(&inner, "category", DBUS_TYPE_STRING, "s", &category);
    dbus_message_iter_close_container(&arguments, &inner);
    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_INT32, &expiry);
    return call;
}

static void call_and_wait(int number) {
    DBusMessage *call = make_call(number);
    DBusMessage *reply = dbus_connection_send_with_reply_and_block(bus, call, 25000, NULL);
    if (!reply || !dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID)) fail("no answer");
    dbus_message_unref(reply);
    dbus_message_unref(call);
}

static void did_answer(DBusPendingCall *pending, void *start) {
    DBusMessage *reply = dbus_pending_call_steal_reply(pending);
    dbus_uint32_t got;
    if (!dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &got, DBUS_TYPE_INVALID)) fail("no answer");
    dbus_message_unref(reply);
    dbus_pending_call_unref(pending);
    times[answered++] = microseconds() - *(double *)start;
    in_flight--;
}

static void run_sync(int count) {
    for (int i = 0; i < count; i++) {
        double start = microseconds();
        call_and_wait(i);
        times[answered++] = microseconds() - start;
    }
}

static void run_pipe(int count, int window) {
    double *starts = calloc(count, sizeof *starts);
    int sent = 0;
    while (answered < count) {
        for (; sent < count && in_flight < window; sent++, in_flight++) {
            DBusPendingCall *pending = NULL;
            starts[sent] = microseconds();
            DBusMessage *call = make_call(sent);
            if (!dbus_connection_send_with_reply(bus, call, &pending, 25000) || !pending) fail("not sent");
            dbus_pending_call_set_notify(pending, did_answer, &starts[sent], NULL);
            dbus_message_unref(call);
        }
        dbus_connection_read_write_dispatch(bus, -1);
    }
    free(starts);
}

int main(int argc, char **argv) {
    int is_pipe = argc == 4 && !strcmp(argv[1], "pipe");
    if (!is_pipe && (argc != 3 || strcmp(argv[1], "sync"))) fail("usage: client sync N | client pipe N WINDOW");
    int count = atoi(argv[2]);
    times = calloc(count, sizeof *times);
    bus = dbus_bus_get(DBUS_BUS_SESSION, NULL);
    if (!bus || count < 1) fail("no bus");
    for (int i = 0; i < WARM_UP; i++) call_and_wait(i);
    double start = microseconds(), cpu = cpu_microseconds();
    if (is_pipe) run_pipe(count, atoi(argv[3]));
    else run_sync(count);
    double elapsed = microseconds() - start;
    cpu = cpu_microseconds() - cpu;
    qsort(times, count, sizeof *times, ascending);
    printf("%.0f %.1f %.1f %.2f\n", count / elapsed * 1e6, times[count / 2], times[(int)(count * 0.99)], cpu / count);
    return 0;
}
