/// What a batch's resources refer to by name.
extension BatchApplication {
  /// The listener of a name, reported where there is none that the owner may refer to.
  mutating func listener(
    _ name: String, of id: ResourceID, _ field: String, _ owner: ResourceOwner
  ) -> Listener? {
    referred(name, of: id, field, owner)
  }

  mutating func service(
    _ name: String, of id: ResourceID, _ field: String, _ owner: ResourceOwner
  ) -> Service? {
    referred(name, of: id, field, owner)
  }

  private mutating func referred<Value: CatalogueValue>(
    _ name: String, of id: ResourceID, _ field: String, _ owner: ResourceOwner
  ) -> Value? {
    let kind = Value.kind
    guard let entry = Value.table(of: catalogue)[name], !doomed.contains(entry.number, kind) else {
      guard !problems.isFull else {
        problems.omitOne()
        return nil
      }
      report(
        id, field, "no \(kind.singular) is named \(quoted(name))",
        hint: names.hint(for: name, Value.self, owner, doomed[kind], catalogue))
      return nil
    }
    guard owner.mayRefer(to: entry.owner) else {
      report(
        id, field, "the \(kind.singular) \(quoted(name)) is in the store",
        hint: "what files hold refers only to what files hold")
      return nil
    }
    return entry.value
  }
}

extension ResourceOwner {
  /// Files stand alone, so that they can be read without the store.
  func mayRefer(to other: ResourceOwner) -> Bool { self == .store || other != .store }
}

/// Names for messages about those that do not exist.
struct ReferenceNames {
  /// Comparisons: a batch full of wrong names must not cost names × names.
  private var comparisonsLeft = Diagnostics.comparisonsMax
  private var lists: [List: [String]] = [:]

  private struct List: Hashable {
    var kind: ResourceKind
    var isOfFiles: Bool
  }

  mutating func hint<Value: CatalogueValue>(
    for name: String, _: Value.Type, _ owner: ResourceOwner, _ doomed: Set<UInt32>, _ catalogue: Catalogue
  ) -> String? {
    let list = List(kind: Value.kind, isOfFiles: owner != .store)
    let known =
      lists[list]
      ?? Value.table(of: catalogue).all
      .filter { owner.mayRefer(to: $0.owner) && !doomed.contains(UInt32($0.number)) }.map(\.value.name)
    lists[list] = known
    if comparisonsLeft >= known.count {
      comparisonsLeft -= known.count
      if let nearest = Suggestion.nearest(to: name, among: known) {
        return "did you mean \(quoted(nearest))?"
      }
    }
    return known.isEmpty
      ? "there is none" : known.count <= 10 ? "one of " + known.joined(separator: ", ") : nil
  }
}
