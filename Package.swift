// swift-tools-version: 6.2
import PackageDescription

/// Every module speaks the same Swift: language mode 6 and the upcoming features that make
/// imports and existentials explicit.
let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// Third-party products. Docs/Dependencies.md gives the reason for each.
let collections: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing: Target.Dependency = .product(
    name: "InMemoryTracing",
    package: "swift-distributed-tracing"
)
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let toml: Target.Dependency = .product(name: "TOMLKit", package: "TOMLKit")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")

let package = Package(
    name: "belfry",
    products: [
        // For programs that embed Belfry, and for plugins in Swift: Docs/Embedding.md, Docs/WritingAPlugin.md.
        .library(name: "BelfryCore", targets: ["BelfryCore"]),
        .library(name: "BelfryService", targets: ["BelfryService"]),
        .library(name: "BelfrySQLite", targets: ["BelfrySQLite"]),
        .library(name: "BelfryPluginKit", targets: ["BelfryPluginKit"]),
        .library(name: "BelfryFileSink", targets: ["BelfryFileSink"]),
        .library(name: "BelfryDesktop", targets: ["BelfryDesktop"]),
        .library(name: "BelfryTesting", targets: ["BelfryTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .target(name: "BelfryCore", dependencies: [collections], swiftSettings: swift),
        .target(
            name: "BelfryService",
            dependencies: ["BelfryCore", "CTimerFD", deque, lifecycle, logging, metrics, tracing],
            swiftSettings: swift
        ),
        .target(name: "BelfryMetrics", dependencies: [histogram, metrics], swiftSettings: swift),
        .target(name: "BelfryAPI", dependencies: ["BelfryCore"], swiftSettings: swift),
        .target(
            name: "BelfryServer",
            dependencies: [
                "BelfryAPI", "BelfryCore", httpTypes, hummingbird, hummingbirdCore, lifecycle, logging,
                nioCore,
                nioPosix,
            ],
            swiftSettings: swift
        ),
        .target(name: "BelfrySQLite", dependencies: ["BelfryCore", grdb, sqlite], swiftSettings: swift),
        .target(name: "BelfryTesting", dependencies: ["BelfryCore", "BelfryService"], swiftSettings: swift),
        .target(
            name: "BelfryPlugins",
            dependencies: ["BelfryCore", "BelfryMCP", "CZlib", subprocess, system],
            swiftSettings: swift
        ),
        .target(name: "BelfryMCP", dependencies: ["BelfryCore"], swiftSettings: swift),
        .target(name: "BelfryPluginKit", dependencies: ["BelfryCore", "BelfryMCP"], swiftSettings: swift),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CTimerFD"),
        .systemLibrary(name: "CDBus", pkgConfig: "dbus-1", providers: [.apt(["libdbus-1-dev"])]),
        .target(name: "DBus", dependencies: ["CDBus"], exclude: ["DBus.md"], swiftSettings: swift),
        .target(
            name: "BelfryDesktop",
            dependencies: ["BelfryCore", "DBus", collections, deque, lifecycle, logging],
            swiftSettings: swift
        ),
        .target(name: "BelfryFileSink", dependencies: ["BelfryCore", "CZlib"], swiftSettings: swift),
        .target(name: "BelfryStdoutSink", dependencies: ["BelfryCore"], swiftSettings: swift),
        .executableTarget(
            name: "belfryd",
            dependencies: [
                "BelfryAPI", "BelfryCore", "BelfryDesktop", "BelfryFileSink", "BelfryMetrics",
                "BelfryPlugins",
                "BelfrySQLite", "BelfryServer", "BelfryService", "BelfryStdoutSink", arguments, lifecycle,
                logging,
                signals, subprocess, system, toml,
            ],
            swiftSettings: swift
        ),
        .executableTarget(
            name: "belfry",
            dependencies: ["BelfryAPI", "BelfryCore", "BelfryMCP", "BelfryStdoutSink", arguments],
            swiftSettings: swift
        ),
        .executableTarget(name: "belfry-launch"),
        // Examples of the guides, built and run by the tests.
        .executableTarget(
            name: "example-embedding",
            dependencies: ["BelfryCore", "BelfryPluginKit", "BelfrySQLite", "BelfryService"],
            path: "Docs/Examples/Embedding",
            swiftSettings: swift
        ),
        .executableTarget(
            name: "example-word-count",
            dependencies: ["BelfryCore", "BelfryPluginKit"],
            path: "Docs/Examples/SwiftPlugin",
            swiftSettings: swift
        ),
        // Bundled plugins.
        .target(
            name: "ProceduralRenderer",
            dependencies: ["CZlib"],
            path: "Plugins/text-to-image/Renderer",
            swiftSettings: swift
        ),
        .target(
            name: "TextToImage",
            dependencies: [
                "BelfryCore", "ProceduralRenderer", httpClient, nioCore, nioHTTP, nioPosix, nioWebSocket,
            ],
            path: "Plugins/text-to-image/Sources/TextToImage",
            swiftSettings: swift
        ),
        .executableTarget(
            name: "belfry-text-to-image",
            dependencies: ["BelfryCore", "BelfryPluginKit", "TextToImage"],
            path: "Plugins/text-to-image/Sources/Main",
            swiftSettings: swift
        ),

        // Tests, as Sources are.
        .testTarget(
            name: "BelfryCoreTests",
            dependencies: ["BelfryCore", "BelfryTesting"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryTestingTests",
            dependencies: ["BelfryCore", "BelfryTesting"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfrySQLiteTests",
            dependencies: ["BelfryCore", "BelfrySQLite", "BelfryTesting", grdb],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryServiceTests",
            dependencies: [
                "BelfryCore", "BelfryMetrics", "BelfryService", "BelfryTesting", inMemoryTracing, lifecycle,
                logging, metrics, tracing,
            ],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryMetricsTests",
            dependencies: ["BelfryMetrics", metrics, subprocess, system],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryFileSinkTests",
            dependencies: ["BelfryCore", "BelfryFileSink", "BelfryTesting"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryStdoutSinkTests",
            dependencies: ["BelfryCore", "BelfryStdoutSink"],
            swiftSettings: swift
        ),
        // A private bus and desktop for tests, with servers that fail on demand.
        .target(
            name: "BusTesting",
            dependencies: ["DBus"],
            path: "Tests/BusTesting",
            swiftSettings: swift
        ),
        .target(
            name: "DesktopTesting",
            dependencies: ["BusTesting", "DBus"],
            path: "Tests/DesktopTesting",
            exclude: ["dunstrc", "headless-desktop"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "DBusTests",
            dependencies: ["BusTesting", "CDBus", "DBus"],
            exclude: ["Fixtures"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "DesktopTestingTests",
            dependencies: ["BusTesting", "DBus", "DesktopTesting"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryDesktopTests",
            dependencies: [
                "BelfryCore", "BelfryDesktop", "BusTesting", "DBus", "DesktopTesting", collections, logging,
            ],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryMCPTests",
            dependencies: ["BelfryCore", "BelfryMCP"],
            swiftSettings: swift
        ),
        // Python programs with pinned packages, for tests.
        .target(
            name: "PythonTesting",
            dependencies: [subprocess, system],
            path: "Tests/PythonTesting",
            exclude: ["Requirements", "Servers", "venv"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryPluginsTests",
            dependencies: [
                "BelfryCore", "BelfryMCP", "BelfryPlugins", "BelfryTesting", "PythonTesting", "belfry-launch",
                subprocess,
            ],
            swiftSettings: swift
        ),
        .executableTarget(
            name: "plugin-kit-probe",
            dependencies: ["BelfryCore", "BelfryPluginKit"],
            path: "Tests/PluginKitProbe",
            swiftSettings: swift
        ),
        .testTarget(
            name: "BelfryPluginKitTests",
            dependencies: ["BelfryCore", "BelfryPluginKit", "plugin-kit-probe", subprocess, system],
            swiftSettings: swift
        ),
        .testTarget(
            name: "HubTests",
            dependencies: ["BelfryCore", "BelfryDesktop", "BelfryService", "belfry-launch", "belfryd"],
            swiftSettings: swift
        ),
        .testTarget(name: "CommandTests", dependencies: ["BelfryCore", "belfry"], swiftSettings: swift),
        .testTarget(
            name: "LaunchTests",
            dependencies: ["BelfryCore", "belfry-launch"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "ProceduralRendererTests",
            dependencies: ["ProceduralRenderer", "CZlib"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "TextToImageTests",
            dependencies: [
                "BelfryCore", "ProceduralRenderer", "TextToImage", httpTypes, hummingbird, logging, nioCore,
                nioHTTP, nioPosix, nioWebSocket,
            ],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BundledPluginTests",
            dependencies: ["BelfryCore"],
            exclude: ["measure.py", "prepare"],
            swiftSettings: swift
        ),
        .executableTarget(
            name: "belfry-simulate",
            dependencies: ["BelfryTesting"],
            path: "Tests/Simulator",
            swiftSettings: swift
        ),
        .executableTarget(
            name: "dbus-bench",
            dependencies: ["DBus"],
            path: "Tests/Benchmarks/DBus",
            swiftSettings: swift
        ),
        .executableTarget(
            name: "belfry-bench",
            dependencies: [
                "BelfryCore", "BelfryDesktop", "BelfryFileSink", "BelfryPluginKit", "BelfryPlugins",
                "BelfrySQLite", "BelfryService",
                grdb, lifecycle, logging,
            ],
            path: "Tests/Benchmarks/Program",
            swiftSettings: swift
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "BelfryAPI", "BelfryCore", "BelfryTesting", "DesktopTesting", "PythonTesting", "belfry",
                "belfry-launch", "belfry-text-to-image",
                "belfryd", "example-embedding", "example-word-count", "plugin-kit-probe", grdb, subprocess,
                system,
            ],
            exclude: ["Agents"],
            swiftSettings: swift
        ),
    ]
)
