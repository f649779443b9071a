// The real notification servers that run on a bare virtual screen, and what each needs.

import FoundationEssentials

/// A notification server from Debian.
public struct DesktopServer: Sendable, Hashable {
    enum Kind: Sendable, Hashable { case none, dunst, xfce, notificationDaemon }

    var kind: Kind
    /// Whether dunst shows pictures and icons.
    var showsPictures = true

    /// No server at all.
    public static let none = DesktopServer(kind: .none)
    /// dunst 1.9 with a bar of pure green. It draws no buttons: a left click does the default action, a
    /// right click opens a menu, in which ``HeadlessDesktop/menuChoice`` chooses.
    public static let dunst = DesktopServer(kind: .dunst)
    /// xfce4-notifyd, with xfconfd for its settings. Draws buttons. A notification with `value` shows
    /// nothing but its bar.
    public static let xfce = DesktopServer(kind: .xfce)
    /// GNOME's former notification-daemon. Draws buttons and no bar.
    public static let notificationDaemon = DesktopServer(kind: .notificationDaemon)

    /// dunst with or without pictures.
    public static func dunst(showsPictures: Bool) -> DesktopServer {
        DesktopServer(kind: .dunst, showsPictures: showsPictures)
    }

    /// The class of its windows, for xdotool.
    var windowClass: String {
        switch kind {
        case .none: ""
        case .dunst: "^Dunst$"
        case .xfce: "^Xfce4-notifyd$"
        case .notificationDaemon: "^Notification-daemon$"
        }
    }

    /// Programs that must own a name before the server starts, with the name.
    var companions: [(command: [String], name: String)] {
        guard kind == .xfce else { return [] }
        return [(["/usr/lib/\(Self.multiarch)/xfce4/xfconf/xfconfd"], "org.xfce.Xfconf")]
    }

    /// How to start it; nil when there is nothing to start. Writes its config into `directory`.
    func command(directory: String) throws -> [String]? {
        switch kind {
        case .none: return nil
        case .xfce: return ["/usr/lib/\(Self.multiarch)/xfce4/notifyd/xfce4-notifyd"]
        case .notificationDaemon: return ["/usr/lib/notification-daemon/notification-daemon"]
        case .dunst:
            let template = try String(contentsOfFile: Self.files + "/dunstrc", encoding: .utf8)
            let text = template.replacing("@MENU@", with: directory + "/menu")
                .replacing("@PICTURES@", with: showsPictures ? "left" : "off")
            try text.write(toFile: directory + "/dunstrc", atomically: true, encoding: .utf8)
            return ["/usr/bin/dunst", "-conf", directory + "/dunstrc"]
        }
    }

    /// The directory of this file, where the config and the script are.
    static let files = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")

    private static let multiarch: String = {
        #if arch(arm64)
        "aarch64-linux-gnu"
        #else
        "x86_64-linux-gnu"
        #endif
    }()
}
