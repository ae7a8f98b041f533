// swift-tools-version: 6.2
import PackageDescription

/// Every module is checked for data races and for unsafe constructs; see CONTRIBUTING.md.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableExperimentalFeature("Lifetimes"),
]

/// Warnings of strict memory safety are errors in the codec: it parses what the network sends.
let codecSettings: [SwiftSetting] =
  settings + [
    .treatWarning("StrictMemorySafety", as: .error),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
  ]

/// Measured: the run-time checks of exclusive access were 38 % of a request's user instructions.
/// Debug builds, and with them all tests but that of the allocation budget, keep them; see docs/decisions/0005.
let dataPathSettings: [SwiftSetting] =
  settings + [
    .unsafeFlags(
      ["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release))
  ]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

/// What the properties of Tests/Fuzz/Targets are about.
let fuzzed: [Target.Dependency] = ["DataPlane", "HTTPCodec", "Plugins", "Resources"]

let package = Package(
  name: "penstock",
  platforms: [.macOS(.v26)],
  products: [.executable(name: "penstock", targets: ["penstock"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "CCares", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
    .target(
      name: "CRE2", cxxSettings: [.unsafeFlags(["-std=c++17"])],
      linkerSettings: [.linkedLibrary("re2")]),
    .target(name: "CLinux"),
    .target(name: "CCrypt", linkerSettings: [.linkedLibrary("crypt")]),
    .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),

    .target(name: "HTTPCodec", swiftSettings: codecSettings),
    .target(name: "Runtime", dependencies: ["CLinux"], swiftSettings: dataPathSettings),
    module(
      "Resources",
      ["CRE2", "HTTPCodec", .product(name: "Yams", package: "Yams")]),
    .target(
      name: "TLS", dependencies: ["CCrypt", "COpenSSL", "Runtime"], swiftSettings: dataPathSettings),
    .target(
      name: "DataPlane", dependencies: ["HTTPCodec", "Resources", "Runtime", "TLS"],
      swiftSettings: dataPathSettings),
    .target(
      name: "Plugins", dependencies: ["DataPlane", "HTTPCodec", "Resources", "Runtime", "TLS"],
      swiftSettings: dataPathSettings),
    module(
      "Store",
      [
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]),
    module(
      "ControlPlane",
      [
        "CCares", "DataPlane", "HTTPCodec", "Plugins", "Resources", "Runtime", "Store", "TLS",
        .product(name: "Logging", package: "swift-log"),
      ]),
    module(
      "Admin",
      [
        "DataPlane", "Plugins", "Resources", "Runtime", "TLS",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
      ]),
    module(
      "Gateway",
      [
        "Admin", "ControlPlane", "DataPlane", "Resources", "Runtime",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ]),
    module(
      "AdminClient",
      [
        "Resources",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    module(
      "EchoOrigin",
      ["HTTPCodec", "Runtime", .product(name: "UnixSignals", package: "swift-service-lifecycle")]),
    .executableTarget(
      name: "penstock",
      dependencies: [
        "AdminClient", "ControlPlane", "EchoOrigin", "Gateway", "Plugins", "Resources", "Runtime",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    module("Simulation", ["DataPlane", "HTTPCodec", "Plugins", "Resources", "Runtime"]),
    // A tool for those who work on the gateway; it is not shipped.
    .executableTarget(name: "simulate", dependencies: ["Runtime", "Simulation"], swiftSettings: settings),

    tests("HTTPCodecTests", ["HTTPCodec"]),
    tests("RuntimeTests", ["Runtime"]),
    .testTarget(
      name: "FuzzTests", dependencies: fuzzed, path: "Tests/Fuzz",
      exclude: ["Corpora", "Dictionaries", "Entry"], swiftSettings: settings),
    tests("ResourcesTests", ["Plugins", "Resources"], exclude: ["Cases"]),
    tests("TLSTests", ["COpenSSL", "Runtime", "TLS"]),
    tests("DataPlaneTests", ["DataPlane", "HTTPCodec", "Resources", "Runtime"]),
    tests("PluginsTests", ["DataPlane", "HTTPCodec", "Plugins", "Resources", "Runtime", "TLS"]),
    tests(
      "ControlPlaneTests",
      [
        "ControlPlane", "DataPlane", "HTTPCodec", "Resources", "Runtime", "Store", "TLS",
        .product(name: "Logging", package: "swift-log"),
      ]),
    tests(
      "AdminTests",
      [
        "Admin", "DataPlane", "Plugins", "Resources", "Runtime", "TLS",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    tests(
      "AdminClientTests",
      [
        "AdminClient", "Resources",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    tests("GatewayTests", ["DataPlane", "Gateway", "Runtime"]),
    .executableTarget(
      name: "store-crash-tool", dependencies: ["Store"], path: "Tests/StoreCrashTool",
      swiftSettings: settings),
    tests("StoreTests", ["Store", "store-crash-tool", .product(name: "GRDB", package: "GRDB.swift")]),
    tests(
      "SimulationTests", ["DataPlane", "HTTPCodec", "Plugins", "Resources", "Runtime", "Simulation"],
      exclude: ["Corpus"]),
  ]
)

// Only scripts/fuzz sets this: the program has no `main` of its own, and links with the fuzzer's alone. No two
// targets may share files.
if Context.environment["PENSTOCK_FUZZ"] != nil {
  package.targets.removeAll { $0.name == "FuzzTests" }
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: fuzzed, path: "Tests/Fuzz",
      exclude: ["Corpora", "Dictionaries", "Replay"], swiftSettings: settings))
}
