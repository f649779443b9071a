// What a plugin that BelfryPluginKit serves says to a hub beyond MCP. Other hosts do not know these keys, and need
// not: the text of each answer says the same for people. Docs/WritingAPlugin.md lists them for authors.

extension MCP.Meta {
    /// In the `_meta` of a `notifications/progress`: bytes of the attempt's log, as text. One process serves many
    /// tasks, so its stderr cannot say whose they are.
    ///
    /// In the same place, ``checkpoint`` carries what the attempt saves; null forgets. Both come only when the call
    /// carried a ``taskID``, and a notification with either repeats the progress that was told before.
    public static let log = "belfry/log"
    /// In the `_meta` of a result with `isError`: `{"code":…,"message":…,"fix":…,"retryable":…}`.
    public static let error = "belfry/error"
    /// In the `_meta` of a result with `isError`: `{"seconds":…,"message":…}`. Nothing failed, and the attempt does
    /// not count: the task is to be tried again after so long.
    public static let snooze = "belfry/snooze"
}
