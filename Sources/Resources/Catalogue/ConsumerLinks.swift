/// Consumers are found by their credentials, and so no two of them may have the same.
extension Catalogue {
  /// - except: Answers whether a credential is left out, because another consumer has it.
  func link(_ entry: CatalogueEntry<Consumer>, except isTaken: (Int) -> Bool) {
    links.own(entry)
    for (index, credential) in entry.value.credentials.enumerated() where !isTaken(index) {
      links.credentials.insert(credential.hash, entry.number)
    }
    linkPlugins(entry)
  }

  func unlink(_ entry: CatalogueEntry<Consumer>) {
    links.disown(entry)
    for credential in entry.value.credentials { links.credentials.remove(credential.hash, entry.number) }
    unlinkPlugins(entry)
  }

  func link(_ entry: CatalogueEntry<GlobalPlugin>) {
    links.own(entry)
    linkPlugins(entry)
  }

  func unlink(_ entry: CatalogueEntry<GlobalPlugin>) {
    links.disown(entry)
    unlinkPlugins(entry)
  }
}

extension ConsumerCredential {
  fileprivate var hash: Int {
    var hasher = Hasher()
    hasher.combine(plugin)
    hasher.combine(credential.lookup)
    return hasher.finalize()
  }

  fileprivate func isFound(as other: ConsumerCredential) -> Bool {
    plugin == other.plugin && credential.lookup == other.credential.lookup
  }
}

extension BatchApplication {
  mutating func linkConsumer(_ change: AppliedBatch.Change<Consumer>) {
    guard let entry = change.after else { return }
    checkPlugins(of: entry)
    let catalogue = catalogue
    catalogue.link(entry) { index in
      let credential = entry.value.credentials[index]
      let other = catalogue.links.credentials.first(credential.hash) { number in
        number != entry.number
          && catalogue.consumerTable[number]?.value.credentials.contains { $0.isFound(as: credential) }
            == true
      }
      guard let other, let holder = catalogue.consumerTable[other] else { return false }
      report(entry, index, holder)
      return true
    }
  }

  private mutating func report(
    _ entry: CatalogueEntry<Consumer>, _ index: Int, _ other: CatalogueEntry<Consumer>
  ) {
    let plugin = entry.value.credentials[index].plugin
    let place = entry.value.credentials[..<index].count { $0.plugin == plugin }
    report(
      ResourceID(.consumers, entry.value.name), "credentials.\(plugin)[\(place)]",
      [
        .text("consumer \(quoted(other.value.name)) has the same credential"),
        .place(
          ResourceID(.consumers, other.value.name), field: "credentials.\(plugin)",
          otherwise: self.place(other, for: entry.owner)),
      ],
      hint: "it has to say who calls; give each consumer its own")
  }
}
