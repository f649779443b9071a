/* What the C programs beside the benchmark share: the names of the notification service. */
#ifndef NOTIFY_H
#define NOTIFY_H

#define NOTIFY_NAME "org.freedesktop.Notifications"
#define NOTIFY_PATH "/org/freedesktop/Notifications"

#endif
