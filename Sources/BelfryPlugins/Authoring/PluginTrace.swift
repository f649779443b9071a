// What goes between the hub and a plugin, for who wants to see it as it is: the author who asks why.

/// Sees each line on its way.
public typealias PluginTrace = @Sendable (PluginFrame, String) -> Void

/// Which way a line went.
public enum PluginFrame: Sendable {
    /// To the plugin's stdin.
    case sent
    /// From the plugin's stdout.
    case received
}
