/// The numbers of those that refer to something. Most things have none or one.
enum Users {
  case none
  case one(UInt32)
  case many(Set<UInt32>)

  var count: Int {
    switch self {
    case .none: 0
    case .one: 1
    case .many(let numbers): numbers.count
    }
  }

  var numbers: [Int] {
    switch self {
    case .none: []
    case .one(let number): [Int(number)]
    case .many(let numbers): numbers.map { Int($0) }
    }
  }

  mutating func insert(_ number: Int) {
    let number = UInt32(number)
    switch self {
    case .none: self = .one(number)
    case .one(number): break
    case .one(let other): self = .many([other, number])
    case .many(var numbers):
      // Without a second reference the set would not be copied.
      self = .none
      numbers.insert(number)
      self = .many(numbers)
    }
  }

  mutating func remove(_ number: Int) {
    let number = UInt32(number)
    switch self {
    case .none: break
    case .one(let other): if other == number { self = .none }
    case .many(var numbers):
      self = .none
      numbers.remove(number)
      self =
        switch numbers.count {
        case 0: .none
        case 1: numbers.first.map(Users.one) ?? .none
        default: .many(numbers)
        }
    }
  }
}
