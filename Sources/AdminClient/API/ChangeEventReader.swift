import Resources
import Synchronization

/// Makes changes of a stream's bytes; remembers why it stopped.
final class ChangeEventReader: Sendable {
  private struct State {
    var parser = EventStreamParser()
    var failure: ClientFailure?
  }

  private let state = Mutex(State())

  var failure: ClientFailure? { state.withLock { $0.failure } }

  /// False where nothing more is wanted, or can be read.
  func feed(_ bytes: [UInt8], to body: (ChangeEvent) -> Bool) -> Bool {
    do throws(ClientFailure) {
      let events = try state.withLock { state in
        Result { () throws(ClientFailure) in try state.parser.feed(bytes) }
      }.get()
      for event in events {
        guard let change = try Self.read(event) else { continue }
        guard body(change) else { return false }
      }
      return true
    } catch {
      state.withLock { $0.failure = error }
      return false
    }
  }

  /// Nil for events that a later gateway may know.
  private static func read(_ event: EventStreamParser.Event) throws(ClientFailure) -> ChangeEvent? {
    guard ["change", "resync"].contains(event.name) else { return nil }
    let document: ResourceBody
    do throws(ResourceProblem) {
      document = try ResourceBody(json: Array(event.data.utf8))
    } catch {
      throw .malformedAnswer("an event: \(error.description)")
    }
    if event.name == "change" { return .change(try ChangeSummary(document)) }
    return .resync(revision: try document.required("revision") { $0.number() })
  }
}
