// The version of every program in the package.

public enum BelfryVersion {
    /// Semantic version of this build.
    public static let current = "0.1.0"
}
