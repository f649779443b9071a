// How long to wait before something that failed is tried again.

enum Backoff {
    /// 0.1 s, 0.2 s, 0.4 s … up to `limit`.
    static func delay(_ failures: Int, upTo limit: Duration) -> Duration {
        min(.milliseconds(100 << min(max(failures - 1, 0), 16)), limit)
    }
}
