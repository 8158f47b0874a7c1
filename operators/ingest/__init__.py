"""The one door (law 1): from source records to the timeline. Pure: records and a time go in, appends come out.

`core` reads in the order of the data; `arrivals` gives a poll its order and stamps, `tables` knows patients, devices and rules,
`attribution` whose a reading is, `slots` the newest row of each slot, `commands` what people say; `letters` is what is refused,
`statement` what is said again.
"""
