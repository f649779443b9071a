// Text that anyone may write.

import Foundation
import GRDB

extension String {
    /// The text as a column keeps it: as TEXT, or as a BLOB of its UTF-8 where it has a NUL,
    /// because SQLite's functions and GRDB end a TEXT there. GRDB reads both back as `String`.
    var free: DatabaseValue {
        utf8.contains(0) ? Data(utf8).databaseValue : databaseValue
    }
}
