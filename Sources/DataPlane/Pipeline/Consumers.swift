import Resources
import Runtime

/// A consumer as a worker knows it. Belongs to one worker's thread.
public final class WorkerConsumer {
  // What every request asks for comes first, in the line of the cache of the object's head.

  /// Of the name, the same on every worker of the process; see ``KeyHash``.
  public let nameHash: UInt64
  /// The fields that tell an endpoint who calls: `name: value` and CRLF each.
  let lines: [UInt8]
  let plugins: [AttachedPlugin]
  public let nameBytes: [UInt8]

  let number: Int
  public let name: String
  public let groups: [String]

  /// Has what endpoints and logs are told brought near.
  @inline(__always)
  func prepare() {
    Prefetching.prepare(lines)
    Prefetching.prepare(nameBytes)
  }

  init(_ number: Int, _ consumer: Consumer, before: WorkerConsumer?) {
    self.number = number
    self.name = consumer.name
    let name = Array(consumer.name.utf8)
    nameBytes = name
    nameHash = KeyHash.of(name.span)
    groups = consumer.groups
    var lines = "X-Consumer-Username: \(consumer.name)\r\n"
    if let customID = consumer.customID { lines += "X-Consumer-Custom-ID: \(customID)\r\n" }
    if !consumer.groups.isEmpty {
      lines += "X-Consumer-Groups: \(consumer.groups.joined(separator: ", "))\r\n"
    }
    self.lines = Array(lines.utf8)
    plugins = AttachedPlugin.list(
      consumer.plugins, .consumer(consumer.name), before: before?.plugins ?? [])
  }
}

/// A consumer's credential, found by what a request shows.
public final class FoundCredential {
  public let consumer: WorkerConsumer
  fileprivate let since: UInt64
  fileprivate var until = UInt64.max
  public let credential: Credential
  /// Another of the same look-up, of before or after the change under way.
  fileprivate var next: FoundCredential?

  fileprivate init(_ consumer: WorkerConsumer, _ credential: Credential, since: UInt64) {
    self.consumer = consumer
    self.credential = credential
    self.since = since
  }
}

/// The consumers of one worker, and their credentials. Look-ups do not depend on how many there are.
///
/// A change is prepared in steps that no request sees, takes effect at once, and is tidied up after: what it
/// adds is seen from its revision on, and what it removes up to that.
public final class ConsumerTable {
  private struct Key: Hashable {
    var plugin: String
    var lookup: [UInt8]
  }

  private var credentials: [String: [[UInt8]: FoundCredential]] = [:]
  private var consumers: [Int: (consumer: WorkerConsumer, definition: Consumer)] = [:]
  private var revision: UInt64 = 0
  /// What the change under way has put an end to.
  private var leaving: [Key] = []

  public var count: Int { consumers.count }

  /// The credential of a plugin with this look-up; nil where no consumer has it.
  public func find(_ lookup: [UInt8], of plugin: String) -> FoundCredential? {
    var found = credentials[plugin]?[lookup]
    while let one = found {
      if one.since <= revision, revision < one.until { return one }
      found = one.next
    }
    return nil
  }

  /// The consumer of a name, as if it had shown a credential; nil where there is none.
  public func consumer(named name: String) -> FoundCredential? { find(Array(name.utf8), of: "") }

  /// Whether what was found before would be found now.
  public func isCurrent(_ found: FoundCredential) -> Bool {
    found.since <= revision && revision < found.until
  }

  // MARK: Changes

  func stage(_ change: ConsumerChange, revision: UInt64) {
    switch change {
    case .remove(let number):
      if let old = consumers.removeValue(forKey: number) { end(old.consumer, old.definition, at: revision) }
    case .set(let number, let definition):
      let old = consumers[number]
      if let old { end(old.consumer, old.definition, at: revision) }
      let consumer = WorkerConsumer(number, definition, before: old?.consumer)
      consumers[number] = (consumer, definition)
      for one in definition.credentials { add(one.credential, of: one.plugin, consumer, revision) }
      add(Self.nameCredential(definition), of: "", consumer, revision)
    }
  }

  private func add(
    _ credential: Credential, of plugin: String, _ consumer: WorkerConsumer, _ revision: UInt64
  ) {
    let new = FoundCredential(consumer, credential, since: revision)
    new.next = credentials[plugin]?[credential.lookup]
    credentials[plugin, default: [:]][credential.lookup] = new
  }

  /// Names are looked up as credentials are, of no plugin.
  private static func nameCredential(_ definition: Consumer) -> Credential {
    Credential(lookup: Array(definition.name.utf8), kept: OptionValues([]), content: ())
  }

  private func end(_ consumer: WorkerConsumer, _ definition: Consumer, at revision: UInt64) {
    for one in definition.credentials { end(consumer, one.credential.lookup, of: one.plugin, at: revision) }
    end(consumer, Array(definition.name.utf8), of: "", at: revision)
  }

  /// Another consumer may have it after the same change.
  private func end(_ consumer: WorkerConsumer, _ lookup: [UInt8], of plugin: String, at revision: UInt64) {
    var found = credentials[plugin]?[lookup]
    while let known = found {
      if known.until == .max, known.consumer === consumer { known.until = revision }
      found = known.next
    }
    leaving.append(Key(plugin: plugin, lookup: lookup))
  }

  func flip(revision: UInt64) { self.revision = revision }

  /// - Returns: false where the slice is over and there is more to do.
  func settle(_ slice: ChangeSlice) -> Bool {
    while let key = leaving.popLast() {
      var rest: FoundCredential?
      var found = credentials[key.plugin]?[key.lookup]
      while let one = found {
        found = one.next
        guard one.until > revision else { continue }
        one.next = rest
        rest = one
      }
      credentials[key.plugin]?[key.lookup] = rest
      if slice.isOver() { return leaving.isEmpty }
    }
    leaving = []
    return true
  }
}
