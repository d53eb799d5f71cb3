// swift-tools-version: 6.2
import PackageDescription

// `make check` and CI let no warning pass. Whoever builds with a newer compiler must not fail over a new warning.
let isStrict = Context.environment["QWENVL_WARNINGS_AS_ERRORS"] != nil

/// One set of language settings for every Swift target.
let swift: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

/// And one for every C target.
let c: [CSetting] =
    [.enableWarning("all"), .enableWarning("extra")] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

// On Linux, vips.pc leads to flags that SwiftPM refuses with a warning (-pthread, of libraries behind vips). What
// vips.h needs are GLib's include paths alone; libvips itself lies on the default search paths.
#if os(Linux)
    let vipsPackage = "gobject-2.0"
#else
    let vipsPackage = "vips"
#endif

let package = Package(
    name: "QwenVL",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "QwenVL", targets: ["QwenVL"]),
        .library(name: "QwenVLClient", targets: ["QwenVLClient"]),
        .library(name: "QwenVLServer", targets: ["QwenVLServer"]),
        .executable(name: "qwenvl", targets: ["QwenVLCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        // The server, the client and fetching pictures alone need what follows.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["JSON"]),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.9.0"),
    ],
    targets: [
        // C: kernels, and thin shims over C libraries.
        .target(
            name: "CKernels",
            // Debug builds would compile the kernels at -O0, a hundred times slower.
            cSettings: c + [.unsafeFlags(["-O3", "-Werror=implicit-function-declaration"])]),
        .systemLibrary(
            name: "CLibVips", pkgConfig: vipsPackage, providers: [.apt(["libvips-dev"]), .brew(["vips"])]),
        .target(
            name: "CVips", dependencies: ["CLibVips"], cSettings: c, linkerSettings: [.linkedLibrary("vips")]),
        .systemLibrary(
            name: "CLibAV", pkgConfig: "libavformat",
            providers: [.apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev"]), .brew(["ffmpeg"])]),
        .target(
            name: "CVideo", dependencies: ["CLibAV"], cSettings: c,
            linkerSettings: [
                .linkedLibrary("avformat"), .linkedLibrary("avcodec"), .linkedLibrary("swscale"),
                .linkedLibrary("avutil"),
            ]),
        // Picture resampling: its loops need optimisation in debug builds too.
        .target(name: "CPixels", cSettings: c + [.unsafeFlags(["-O3"])]),

        // Swift, lowest layer first. Imports go one way.
        .target(name: "TensorCore", swiftSettings: swift),
        .target(name: "CPUBackend", dependencies: ["TensorCore", "CKernels"], swiftSettings: swift),
        .target(name: "Checkpoint", dependencies: ["TensorCore"], swiftSettings: swift),
        .target(name: "QwenTokenizer", swiftSettings: swift),
        .target(name: "ChatTemplate", swiftSettings: swift),
        .target(name: "VisionInput", dependencies: ["CVips", "CVideo", "CPixels"], swiftSettings: swift),
        .target(
            name: "MediaFetch",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: swift),
        .target(name: "QwenVLModel", dependencies: ["Checkpoint", "TensorCore"], swiftSettings: swift),
        .target(
            name: "QwenVL",
            dependencies: [
                "QwenVLModel", "VisionInput", "MediaFetch", "QwenTokenizer", "ChatTemplate", "CPUBackend", "Checkpoint",
                "TensorCore",
            ],
            swiftSettings: swift),
        // Held-out questions, and what answers are worth.
        .target(name: "Evaluation", dependencies: ["QwenVL", "ChatTemplate"], swiftSettings: swift),
        // Clocks of the benchmarks: medians, memory, threads side by side.
        .target(name: "Measuring", swiftSettings: swift),
        // Measuring, counting and planning: how fast it is, how fast it could be, whether it fits.
        .target(
            name: "Performance",
            dependencies: [
                "QwenVL", "QwenVLModel", "VisionInput", "CPUBackend", "Checkpoint", "TensorCore", "CKernels",
                "Measuring",
            ],
            swiftSettings: swift),
        .target(
            name: "QwenVLClient",
            dependencies: [
                "QwenVL", "ChatTemplate", .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: swift),
        .target(
            name: "QwenVLServer",
            dependencies: [
                "QwenVL", "ChatTemplate", .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"), .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
            ],
            resources: [
                .embedInCode("Page/index.html"), .embedInCode("Page/page.css"), .embedInCode("Page/page.js"),
                .embedInCode("Page/openapi.json"),
            ],
            swiftSettings: swift),
        // Named apart from QwenVL by more than case: file systems that ignore case would join the two.
        .executableTarget(
            name: "QwenVLCommand",
            dependencies: [
                "QwenVL", "QwenVLServer", "Evaluation", "Performance", .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swift),
        .executableTarget(
            name: "kernel-benchmark",
            dependencies: [
                "CKernels", "Measuring", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Kernels", swiftSettings: swift),
        .executableTarget(
            name: "tokenizer-benchmark",
            dependencies: ["QwenTokenizer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Benchmarks/Tokenizer", swiftSettings: swift),
        .target(name: "FuzzSupport", path: "Fuzz/Support", swiftSettings: swift),
        .executableTarget(
            name: "checkpoint-fuzz", dependencies: ["Checkpoint", "TensorCore", "FuzzSupport"], path: "Fuzz/Checkpoint",
            swiftSettings: swift),
        .executableTarget(
            name: "media-benchmark", dependencies: ["VisionInput", "Measuring"], path: "Benchmarks/Media",
            swiftSettings: swift),
        .executableTarget(
            name: "media-fuzz", dependencies: ["VisionInput", "FuzzSupport"], path: "Fuzz/Media", swiftSettings: swift),

        .testTarget(name: "CKernelsTests", dependencies: ["CKernels"], swiftSettings: swift),
        .testTarget(
            name: "QwenTokenizerTests", dependencies: ["QwenTokenizer"], resources: [.copy("Fixtures")],
            swiftSettings: swift),
        .testTarget(
            name: "ChatTemplateTests", dependencies: ["ChatTemplate"], resources: [.copy("Fixtures")],
            swiftSettings: swift),
        .testTarget(
            name: "VisionInputTests", dependencies: ["VisionInput"], resources: [.copy("Fixtures")],
            swiftSettings: swift),
        .testTarget(
            name: "MediaFetchTests", dependencies: ["MediaFetch"], swiftSettings: swift),
        .testTarget(
            name: "CheckpointTests", dependencies: ["Checkpoint", "TensorCore"], swiftSettings: swift),
        .testTarget(name: "CPUBackendTests", dependencies: ["CPUBackend", "TensorCore"], swiftSettings: swift),
        .testTarget(
            name: "EvaluationTests", dependencies: ["Evaluation", "QwenVL"], swiftSettings: swift),
        .testTarget(
            name: "PerformanceTests",
            dependencies: [
                "Performance", "Measuring", "QwenVL", "QwenVLModel", "CPUBackend", "Checkpoint", "TensorCore",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "QwenVLServerTests",
            dependencies: [
                "QwenVLServer", "QwenVLClient", "QwenVL", "ChatTemplate",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            resources: [.copy("Fixtures")], swiftSettings: swift),
        .testTarget(
            name: "QwenVLTests",
            dependencies: [
                "QwenVL", "QwenVLModel", "VisionInput", "CPUBackend", "TensorCore", "Checkpoint", "QwenVLCommand",
            ],
            resources: [.copy("Fixtures")], swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
