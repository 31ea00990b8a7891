//! `hac sa revoke`.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use protocol::sa::Spi;

use super::{PAGE, counted};
use crate::cli::{CliError, named, open};
use crate::store::{AssociationState, Selection, Store};

/// How often a person at a terminal hears how far it has come.
const PROGRESS: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false, id = "which")]
pub(in crate::cli) struct Arguments {
    /// The one with this SPI: as in the list, such as 0x0001001, or decimal.
    #[arg(value_name = "SPI", value_parser = super::spi)]
    spi: Option<Spi>,
    /// Those of this subscriber.
    #[arg(long, value_name = "NAI")]
    subscriber: Option<String>,
    /// Those at this home agent.
    #[arg(long, value_name = "NAME")]
    ha: Option<String>,
    /// Every one.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    if let Some(spi) = arguments.spi {
        check_live(&mut store, spi)?;
    }
    let subscriber = arguments.subscriber.as_ref().map(|nai| named::subscriber(&mut store, nai)).transpose()?;
    let home_agent = arguments.ha.as_ref().map(|name| named::home_agent(&mut store, name)).transpose()?;
    let of = Selection {
        spi: arguments.spi,
        subscriber: subscriber.as_ref().map(|subscriber| subscriber.nai.as_str()),
        home_agent: home_agent.as_ref().map(|home_agent| home_agent.name.as_str()),
    };
    match end_all(&mut store, &of)? {
        0 => println!("ended         no association: none was live"),
        ended => {
            println!("ended         {}: connected home agents drop them within a second", counted(ended));
            println!("\nThe mobile nodes may get new ones; `hac subscriber disable` or `rotate-psk` keeps one out");
        }
    }
    Ok(())
}

/// Ends every association of `of` that was there at the beginning, page by page, and gives how many were live.
pub(in crate::cli) fn end_all(store: &mut dyn Store, of: &Selection<'_>) -> Result<u64, CliError> {
    let up_to = store.revision()?;
    let (mut ended, mut after, mut told) = (0, None, Instant::now());
    loop {
        let page = store.end_page(of, up_to, after, PAGE, SystemTime::now())?;
        ended += page.ended;
        if page.next.is_none() {
            return Ok(ended);
        }
        after = page.next;
        if told.elapsed() >= PROGRESS && io::stderr().is_terminal() {
            eprintln!("{} ended so far", counted(ended));
            told = Instant::now();
        }
    }
}

/// One that is not there may be a slip of the pen: nothing ended is an error then.
fn check_live(store: &mut dyn Store, spi: Spi) -> Result<(), CliError> {
    let of = Selection { spi: Some(spi), ..Selection::default() };
    let found = store.associations(&of, true, None, 1, SystemTime::now())?;
    let problem = match found.first().map(|record| record.state) {
        Some(AssociationState::Live) => return Ok(()),
        Some(AssociationState::Ended) => "has ended already",
        Some(AssociationState::Expired) => "is past its validity end",
        None => "is not known",
    };
    let look = "`hac sa list` shows the live ones, `hac sa list --all` those too whose SPI is not free yet";
    Err(CliError::Argument(format!("association {spi} {problem}: {look}")))
}
