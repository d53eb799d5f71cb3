// swift-tools-version: 6.2
import PackageDescription

/// One set of language settings for every Swift target.
let swift: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "QwenVL",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "QwenVL", targets: ["QwenVL"]),
        .executable(name: "qwenvl", targets: ["qwenvl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0")
    ],
    targets: [
        // C: kernels, and thin shims over C libraries.
        .target(
            name: "CKernels",
            // Debug builds would compile the kernels at -O0, a hundred times slower.
            cSettings: [.unsafeFlags(["-O3", "-std=c11", "-Wall", "-Wextra", "-Werror=implicit-function-declaration"])]),
        .systemLibrary(
            name: "CLibVips", pkgConfig: "vips", providers: [.apt(["libvips-dev"]), .brew(["vips"])]),
        .target(name: "CVips", dependencies: ["CLibVips"]),
        // Picture resampling: its loops need optimisation in debug builds too.
        .target(name: "CPixels", cSettings: [.unsafeFlags(["-O3", "-Wall", "-Wextra"])]),

        // Swift, lowest layer first. Imports go one way.
        .target(name: "TensorCore", swiftSettings: swift),
        .target(name: "CPUBackend", dependencies: ["TensorCore", "CKernels"], swiftSettings: swift),
        .target(name: "Checkpoint", dependencies: ["TensorCore"], swiftSettings: swift),
        .target(name: "QwenTokenizer", swiftSettings: swift),
        .target(name: "ChatTemplate", swiftSettings: swift),
        .target(name: "VisionInput", dependencies: ["CVips", "CPixels"], swiftSettings: swift),
        .target(name: "QwenVLModel", dependencies: ["Checkpoint", "TensorCore"], swiftSettings: swift),
        .target(
            name: "QwenVL",
            dependencies: [
                "QwenVLModel", "VisionInput", "QwenTokenizer", "ChatTemplate", "CPUBackend", "Checkpoint", "TensorCore",
            ],
            swiftSettings: swift),
        .executableTarget(
            name: "qwenvl",
            dependencies: ["QwenVL", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: swift),
        .executableTarget(
            name: "kernel-benchmark",
            dependencies: ["CKernels", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Benchmarks/Kernels", swiftSettings: swift),
        .executableTarget(
            name: "tokenizer-benchmark",
            dependencies: ["QwenTokenizer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Benchmarks/Tokenizer", swiftSettings: swift),

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
            name: "CheckpointTests", dependencies: ["Checkpoint", "TensorCore"], swiftSettings: swift),
        .testTarget(name: "CPUBackendTests", dependencies: ["CPUBackend"], swiftSettings: swift),
        .testTarget(
            name: "QwenVLTests", dependencies: ["QwenVL"], resources: [.copy("Fixtures")], swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
