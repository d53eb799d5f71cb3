/// libFuzzer's entry point; see Tools/checkpoint/fuzz.sh.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzerTestOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    fuzzOne(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
