import ArgumentParser
import CKernels
import Foundation

@main
struct KernelBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernel-benchmark",
        abstract: "Measures this machine's limits, then the kernels as shares of them.")

    @Option(help: "Threads, the caller included.")
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Kernel table, such as generic, avx2 or neon. The best one by default.")
    var isa: String?

    @Option(help: "Only the cases whose name contains this text.")
    var filter: String?

    @Option(help: "Repetitions; the median is reported.")
    var repetitions = 9

    @Flag(help: "Count processor time instead of elapsed time, on one thread: for machines that others use too.")
    var cpuTime = false

    @Flag(help: "Measure what rounding to 8 and 4 bits costs instead of times.")
    var errors = false

    @Flag(help: "Print JSON, one object per line.")
    var json = false

    func validate() throws {
        guard (1...1024).contains(threads) else {
            throw ValidationError("--threads must be in 1...1024, not \(threads)")
        }
        guard !cpuTime || threads == 1 else { throw ValidationError("--cpu-time needs --threads 1, not \(threads)") }
        guard repetitions > 0 else { throw ValidationError("--repetitions must be positive, not \(repetitions)") }
        if let isa, qv_kernels_named(isa) == nil {
            throw ValidationError("--isa: this processor runs \(Self.available.joined(separator: ", ")), not \(isa)")
        }
    }

    static var available: [String] {
        var names: [String] = []
        var next = qv_kernels_available()
        while let name = next?.pointee {
            names.append(String(cString: name))
            next = next?.advanced(by: 1)
        }
        return names
    }

    func run() throws {
        guard let kernels = isa.map({ qv_kernels_named($0) }) ?? qv_kernels_best(),
            let pool = qv_pool_create(Int32(threads))
        else { throw ValidationError("no kernel table, or no threads to be had") }
        defer { qv_pool_destroy(pool) }
        if errors { return RoundingErrors(kernels: kernels, pool: pool).report() }
        qv_pool_set_active(pool, true)
        let bench = Bench(
            kernels: kernels, pool: pool, repetitions: repetitions, cpuTime: cpuTime, filter: filter,
            report: Report(json: json))
        bench.report.header(table: String(cString: qv_kernels_name(kernels)), threads: threads)
        bench.measureLimits(threads: threads)
        bench.products()
        bench.fewRows()
        bench.visionAttention()
        bench.cachedAttention()
    }
}
