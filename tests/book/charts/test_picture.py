"""Pictures that are not charts."""

import numpy as np

from kdfair_book.charts.picture import contact_sheet


def test_contact_sheet():
    sheet = contact_sheet(32)
    assert sheet.shape == (340, 340, 3) and sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet, contact_sheet(32))
