/* A notification server that shows nothing: the other end for the clients that are measured.
 *
 * Prints "ready" when it has the name; ends when the bus does, or by a signal. */
#include "notify.h"

#include <dbus/dbus.h>
#include <stdarg.h>
#include <stdio.h>

static dbus_uint32_t last_id;

static void answer(DBusConnection *bus, DBusMessage *call, int first_type, ...) {
    DBusMessage *reply = dbus_message_new_method_return(call);
    va_list arguments;
    va_start(arguments, first_type);
    dbus_message_append_args_valist(reply, first_type, arguments);
    va_end(arguments);
    dbus_connection_send(bus, reply, NULL);
    dbus_message_unref(reply);
}

static void notify(DBusConnection *bus, DBusMessage *call) {
    DBusMessageIter arguments;
    dbus_uint32_t id = 0;
    dbus_message_iter_init(call, &arguments);
    dbus_message_iter_next(&arguments);
    dbus_message_iter_get_basic(&arguments, &id);
    if (id == 0) id = ++last_id;
    answer(bus, call, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
}

static void close_notification(DBusConnection *bus, DBusMessage *call) {
    dbus_uint32_t id = 0, reason = 3;
    dbus_message_get_args(call, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
    DBusMessage *closed = dbus_message_new_signal(NOTIFY_PATH, NOTIFY_NAME, "NotificationClosed");
    dbus_message_append_args(closed, DBUS_TYPE_UINT32, &id, DBUS_TYPE_UINT32, &reason, DBUS_TYPE_INVALID);
    dbus_connection_send(bus, closed, NULL);
    dbus_message_unref(closed);
    answer(bus, call, DBUS_TYPE_INVALID);
}

static void receive(DBusConnection *bus, DBusMessage *message) {
    if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL) return;
    if (dbus_message_is_method_call(message, NOTIFY_NAME, "Notify")) {
        notify(bus, message);
    } else if (dbus_message_is_method_call(message, NOTIFY_NAME, "CloseNotification")) {
        close_notification(bus, message);
    } else if (dbus_message_is_method_call(message, NOTIFY_NAME, "GetCapabilities")) {
        const char *words[] = {"body", "body-markup", "actions"}, **first = words;
        answer(bus, message, DBUS_TYPE_ARRAY, DBUS_TYPE_STRING, &first, 3, DBUS_TYPE_INVALID);
    } else if (dbus_message_is_method_call(message, NOTIFY_NAME, "GetServerInformation")) {
        const char *name = "nothing", *vendor = "belfry", *version = "1", *spec = "1.2";
        answer(bus, message, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &vendor, DBUS_TYPE_STRING, &version,
               DBUS_TYPE_STRING, &spec, DBUS_TYPE_INVALID);
    } else {
        DBusMessage *refusal = dbus_message_new_error(message, DBUS_ERROR_UNKNOWN_METHOD, "No such method.");
        dbus_connection_send(bus, refusal, NULL);
        dbus_message_unref(refusal);
    }
}

int main(void) {
    DBusError error;
    dbus_error_init(&error);
    DBusConnection *bus = dbus_bus_get(DBUS_BUS_SESSION, &error);
    if (!bus || dbus_bus_request_name(bus, NOTIFY_NAME, DBUS_NAME_FLAG_DO_NOT_QUEUE, &error)
                    != DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER) {
        fprintf(stderr, "server: %s\n", error.message ? error.message : "the name is taken");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (dbus_connection_read_write(bus, -1)) {
        DBusMessage *message;
        while ((message = dbus_connection_pop_message(bus))) {
            receive(bus, message);
            dbus_message_unref(message);
        }
    }
    return 0;
}
