import CPUBackend
import TensorCore

/// The one place that names concrete backends.
func makeBackend(_ options: EngineOptions) throws(BackendError) -> any Backend {
    try CPUBackend(threads: options.threads, instructionSet: options.instructionSet)
}
