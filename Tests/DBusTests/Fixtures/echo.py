# An object in Python that gives back what it gets: somebody else's idea of D-Bus, to hold ours against.
import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib


class Echo(dbus.service.Object):
    @dbus.service.method("org.example.Python", in_signature="v", out_signature="v")
    def Echo(self, value):
        return value

    @dbus.service.method("org.example.Python", in_signature="", out_signature="")
    def Fail(self):
        raise dbus.DBusException("It does not work.", name="org.example.Error.Broken")


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
name = dbus.service.BusName("org.example.Python", dbus.SessionBus())
echo = Echo(name, "/echo")
print("ready", flush=True)
GLib.MainLoop().run()
