import Foundation

/// What memory there is, and how much this program took.
package enum MachineMemory {
    /// Bytes that programs can still have without anything being pushed out: free, and caches that the system drops.
    /// A container's limit counts where it is lower.
    package static var available: Int {
        #if os(Linux)
            let free = field("MemAvailable:", of: "/proc/meminfo") ?? Int(ProcessInfo.processInfo.physicalMemory)
            return min(free, containerRoom ?? free)
        #else
            return Int(ProcessInfo.processInfo.physicalMemory)
        #endif
    }

    /// The most bytes that were resident since the start, or since `resetPeak`, pages of mapped files included.
    package static var peak: Int {
        #if os(Linux)
            if let bytes = field("VmHWM:", of: "/proc/self/status") { return bytes }
        #endif
        var usage = rusage()
        #if canImport(Darwin)
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #else
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return usage.ru_maxrss << 10
        #endif
    }

    /// Begins the peak anew, where the system can.
    package static func resetPeak() {
        #if os(Linux)
            // "5" resets the mark (Linux 4.0).
            guard let file = fopen("/proc/self/clear_refs", "w") else { return }
            fputs("5", file)
            fclose(file)
        #endif
    }

    #if os(Linux)
        /// A line's number of KiB.
        private static func field(_ name: String, of path: String) -> Int? {
            guard let text = try? String(contentsOfFile: path, encoding: .utf8),
                let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) })
            else { return nil }
            return line.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) }.map { $0 << 10 }
        }

        /// What the control group still allows (version 2); pages of files that it would drop count as free.
        private static var containerRoom: Int? {
            let root = "/sys/fs/cgroup/"
            func number(_ name: String) -> Int? {
                guard let text = try? String(contentsOfFile: root + name, encoding: .utf8) else { return nil }
                return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
            }
            guard let limit = number("memory.max"), let used = number("memory.current") else { return nil }
            let statistics = (try? String(contentsOfFile: root + "memory.stat", encoding: .utf8)) ?? ""
            let files = statistics.split(separator: "\n").first { $0.hasPrefix("inactive_file ") }
                .flatMap { $0.split(separator: " ").last }.flatMap { Int($0) }
            return max(0, limit - used + (files ?? 0))
        }
    #endif
}
