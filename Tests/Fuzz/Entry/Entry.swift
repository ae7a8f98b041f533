import Glibc

/// The target, which the environment names: libFuzzer takes all arguments for itself.
private let target: FuzzTarget = {
  // Asked for once, before there is a second thread.
  let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    fatalError("FUZZ_TARGET is one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
  }
  return target
}()

/// Called by libFuzzer with each input that it makes.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  // The pointer is C's way to pass an array: it is copied, and not kept.
  let input = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
  do throws(BrokenProperty) {
    try target.check(input)
  } catch {
    fatalError("\(target.rawValue): \(error)")
  }
  return 0
}
