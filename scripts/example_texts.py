"""The texts of the example documents. They were written for this project and are in the public domain (CC0)."""

PAPER = {
    "title": "How Much of a Page Is Seen at Once",
    "authors": "Ines Halloran and Tomas Brandt, Institute for Reading Research",
    "left": [
        (
            "Abstract",
            [
                (
                    "Readers do not take in a page as a whole. The fovea covers about two degrees of the "
                    "visual field, and only there are letters told apart. We measured how many fixations "
                    "a printed page needs and how the number changes with the size of the type. Across "
                    "forty readers the count fell as the type grew, until the lines became too short to "
                    "carry a thought from one end to the other."
                )
            ],
        ),
        (
            "1 Introduction",
            [
                (
                    "A page of print is a surface, but reading is a path across it. The eye rests for a "
                    "quarter of a second, jumps seven to nine letters, and rests again. What lies outside "
                    "the point of rest is seen dimly, yet it guides the next jump: the length of the word "
                    "to come is known before its letters are."
                ),
                (
                    "Earlier work described this path for single lines. Whole pages have columns, "
                    "headings, tables and margins, and each of them changes the order in which the eye "
                    "moves. This paper asks what a page costs in fixations and where they are spent."
                ),
            ],
        ),
        (
            "2 Method",
            [
                (
                    "Forty adults read twelve pages each at a distance of fifty centimetres. The pages "
                    "were set in one column, in two columns, or as a table. Eye movements were recorded "
                    "five hundred times a second. A fixation was counted when the gaze stayed within one "
                    "degree for at least eighty milliseconds."
                )
            ],
        ),
    ],
    "right": [
        (
            "3 Results",
            [
                (
                    "A page in one column took 412 fixations on average, and the same words in two "
                    "columns took 388. The gain came from the return sweeps: short lines are found again "
                    "without a search. Tables took the fewest fixations for each word but the longest "
                    "time for each fixation, as readers compared cells along rows and down columns."
                ),
                (
                    "Small type cost more. At seven points the count rose by 31 percent, and readers went "
                    "back over a line twice as often as they did at ten points."
                ),
            ],
        ),
        (
            "4 Discussion",
            [
                (
                    "The results agree with a simple account. Each fixation takes in a fixed amount of "
                    "detail; type that is too small spreads it thin, and type that is too large wastes "
                    "it on blank paper. Between the two lies a broad range in which the cost is nearly "
                    "constant, and most books are printed there."
                ),
                (
                    "Machines that read pages face the same bargain. They, too, look at a page through a "
                    "limited number of samples, and they, too, gain when the samples follow the layout."
                ),
            ],
        ),
        (
            "5 Conclusion",
            [
                (
                    "Reading speed is set less by the eye than by the page. Two columns, ten points and a "
                    "generous margin remain good advice, five centuries after the first printers arrived "
                    "at them without a single measurement."
                )
            ],
        ),
    ],
}

# (month, days, remark): one page of the report each.
MONTHS = [
    (
        "January",
        31,
        (
            "Ice covered the upper reach for nine days. The float was freed with warm water each "
            "morning, and no level was lost."
        ),
    ),
    (
        "February",
        28,
        (
            "Snow melted early in the hills. The river rose by a metre within a day and stayed "
            "brown until the end of the month."
        ),
    ),
    (
        "March",
        31,
        (
            "A fallen poplar blocked the left arch. Two men and a winch cleared it in an "
            "afternoon without damage to the stone."
        ),
    ),
    (
        "April",
        30,
        (
            "The new staff gauge was bolted to the pier and levelled against the church mark. Old "
            "and new readings agree."
        ),
    ),
    (
        "May",
        31,
        (
            "Swallows nested under the platform, so the lower ladder was closed. Readings were "
            "taken from the bridge instead."
        ),
    ),
    (
        "June",
        30,
        (
            "Long dry weeks brought the lowest water since the station was opened. Children "
            "crossed the ford on stepping stones."
        ),
    ),
    (
        "July",
        31,
        (
            "A thunderstorm on the ninth sent a short sharp wave past the gauge. The recorder "
            "drew it as a single vertical stroke."
        ),
    ),
    (
        "August",
        31,
        (
            "Weed grew thick below the weir and held the level up by a hand. It was cut on the "
            "twentieth by boat."
        ),
    ),
    (
        "September",
        30,
        (
            "The clock of the recorder ran slow by four minutes a day. It was sent to the city "
            "and came back repaired."
        ),
    ),
    (
        "October",
        31,
        (
            "Leaves clogged the intake of the stilling well after every gale. A finer screen has "
            "been ordered from the smith."
        ),
    ),
    (
        "November",
        30,
        (
            "Fog lay in the valley for most of the month. The observer read the staff by lantern "
            "and signed each entry twice."
        ),
    ),
    (
        "December",
        31,
        (
            "The river was high but calm. The year closes with all twelve sheets filed and a "
            "fresh roll of paper in the drum."
        ),
    ),
]

LETTER = [
    "The Old Mill Library",
    "14 September 2026",
    "Dear Mrs Thornton,",
    "thank you for the box of maps that you left with us",
    "on Tuesday. We have counted 37 sheets, most of them",
    "from the survey of 1884, and all in good order.",
    "Two of them show the mill before the fire. We would",
    "like to copy these for the exhibition in November",
    "and return the originals to you by post.",
    "If you agree, please sign the enclosed form and send",
    "it to the address above. The desk is open from Monday",
    "to Friday, 9:30 to 17:00, telephone 01632 960 415.",
    "With kind regards,",
    "Edmund Farrow, Librarian",
]

CHINESE = [
    "图书馆开放通知",
    "各位读者：",
    "为了方便大家阅读，本馆从十月一日起延长开放时间。",
    "周一至周五：上午八点至晚上九点。",
    "周六和周日：上午九点至下午六点。",
    "借书时请出示读者证，每人每次最多可借十本书，",
    "借期为三十天。如需续借，请在到期前办理。",
    "馆内请保持安静，不要饮食，并爱护图书和设备。",
    "二楼新设儿童阅览室，欢迎家长带孩子前来。",
    "咨询电话：01632 960 733",
    "城南图书馆",
    "二〇二六年九月十四日",
]
