/// A rule that a message or frame broke, as the strict readers see it.
public struct StrictFault: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
