/// Carries a value to the thread that will own it; whoever made it uses it no more.
struct ThreadConfined<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
